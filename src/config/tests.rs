//! What configuration promises: the order of the layers, all problems at once, and that nothing secret is shown.

use super::*;

fn surroundings(dir: &Path) -> Surroundings {
    Surroundings { cores: 2, current_dir: dir.to_owned(), system_file: dir.join("etc.toml"), ..Surroundings::default() }
}

fn with(dir: &Path, variables: &[(&str, &str)]) -> Surroundings {
    let environment = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    Surroundings { environment, ..surroundings(dir) }
}

fn data_flag(dir: &Path) -> Flags {
    Flags { data_dir: Some(dir.to_owned()), ..Flags::default() }
}

fn problems(surroundings: &Surroundings, flags: &Flags) -> String {
    Config::load(surroundings, flags).unwrap_err().to_string()
}

#[test]
fn an_empty_machine_gives_the_documented_defaults() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(&surroundings(dir.path()), &data_flag(dir.path())).unwrap();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert!(config.server.tls && config.data.synchronous_full && config.limits.rate && !config.allow_unconfined);
    assert_eq!((config.server.workers, config.server.body_limit, config.limits.requests_per_second), (2, 1_048_576, 50));
    let runtime = config.runtime(&BTreeMap::new());
    assert_eq!((runtime.password_min_length, runtime.break_glass, runtime.default_image.as_str()), (12, true, "local:shell"));
}

#[test]
fn the_data_directory_depends_on_who_runs_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = Surroundings { root: true, ..surroundings(dir.path()) };
    assert_eq!(default_data_dir(&root), Path::new("/var/lib/codex-web"));
    assert_eq!(default_data_dir(&with(dir.path(), &[("XDG_DATA_HOME", "/x")])), Path::new("/x/codex-web"));
    assert_eq!(default_data_dir(&with(dir.path(), &[("HOME", "/home/ada")])), Path::new("/home/ada/.local/share/codex-web"));
}

#[test]
fn each_layer_beats_the_one_below_and_its_source_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join(FILE_NAME),
        "[log]\nlevel = \"debug\"\n[auth]\npassword_min_length = 14\n[server]\nlisten = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let mut flags = data_flag(dir.path());
    flags.settings.push(("server.listen", "--listen", "127.0.0.1:3".into()));
    let surroundings = with(dir.path(), &[("CODEX_WEB_SERVER__LISTEN", "127.0.0.1:2"), ("CODEX_WEB_AUTH__PASSWORD_MIN_LENGTH", "15")]);
    let config = Config::load(&surroundings, &flags).unwrap();
    let source = |path: &str| config.setting(path).map(|setting| setting.source.to_string()).unwrap();
    assert_eq!(config.server.listen.port(), 3);
    assert_eq!(source("server.listen"), "--listen");
    assert_eq!(source("auth.password_min_length"), "$CODEX_WEB_AUTH__PASSWORD_MIN_LENGTH");
    assert_eq!(source("log.level"), format!("{}:2", dir.path().join(FILE_NAME).display()));
    assert_eq!(source("log.format"), "default");

    let stored = BTreeMap::from([
        ("log.level".to_owned(), Json::from("trace")),
        ("workspaces.break_glass".to_owned(), Json::from(false)),
        ("server.listen".to_owned(), Json::from("127.0.0.1:9")),
    ]);
    let runtime = config.runtime(&stored);
    assert_eq!(runtime.log_level, "debug", "the file pins it");
    assert!(!runtime.break_glass, "the settings table beats the default");
    let effective = config.effective(&stored);
    let listen = effective.iter().find(|setting| setting.key.path() == "server.listen").unwrap();
    assert_eq!(listen.source, Source::Flag("--listen"), "a start key is never read from the settings table");
}

#[test]
fn a_stored_value_that_is_no_longer_valid_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(&surroundings(dir.path()), &data_flag(dir.path())).unwrap();
    let stored = BTreeMap::from([("auth.password_min_length".to_owned(), Json::from(3))]);
    assert_eq!(config.runtime(&stored).password_min_length, 12);
}

#[test]
fn every_problem_is_told_at_once_with_its_place_and_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(FILE_NAME);
    std::fs::write(&file, "listen = 1\n[server]\nlisen = \"127.0.0.1:1\"\nworkers = 0\n[log]\nformat = \"xml\"\n").unwrap();
    let text =
        problems(&with(dir.path(), &[("CODEX_WEB_SERVER__TSL", "off"), ("CODEX_WEB_SERVICE_HOST", "10.0.0.1")]), &data_flag(dir.path()));
    let file = file.display();
    for line in [
        format!("{file}:1: there is no setting listen; did you mean server.listen?"),
        format!("{file}:3: there is no setting server.lisen; did you mean server.listen?"),
        format!("{file}:4: server.workers: expected a whole number from 1 to 256, found \"0\""),
        format!("{file}:6: log.format: expected text or json, found \"xml\""),
        "$CODEX_WEB_SERVER__TSL: there is no setting server.tsl; did you mean CODEX_WEB_SERVER__TLS?".to_owned(),
    ] {
        assert!(text.contains(&line), "missing {line:?} in\n{text}");
    }
    assert!(text.starts_with("The configuration has 5 problems:"), "{text}");
}

#[test]
fn a_syntax_error_is_told_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), "[server]\nlisten = \n").unwrap();
    let text = problems(&surroundings(dir.path()), &data_flag(dir.path()));
    assert!(text.contains("codex-web.toml:2: "), "{text}");
}

#[test]
fn a_value_may_lie_in_a_file_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("level"), "warn\n").unwrap();
    std::fs::write(dir.path().join(FILE_NAME), "[log]\nlevel = \"file:level\"\n[limits]\nrequests_per_second = \"file:none\"\n").unwrap();
    let text = problems(&surroundings(dir.path()), &data_flag(dir.path()));
    assert!(text.contains("limits.requests_per_second") && text.contains("none cannot be read"), "{text}");
    assert!(!text.contains("log.level"), "{text}");
}

#[test]
fn a_named_file_must_exist() {
    let dir = tempfile::tempdir().unwrap();
    let flags = Flags { config: Some("missing.toml".into()), ..data_flag(dir.path()) };
    assert!(problems(&surroundings(dir.path()), &flags).contains("--config: there is no file"));
}

#[test]
fn the_file_in_the_data_directory_cannot_move_the_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), "[data]\ndir = \"/elsewhere\"\n").unwrap();
    assert!(problems(&surroundings(dir.path()), &data_flag(dir.path())).contains("cannot name another one"));
}

#[test]
fn the_file_is_looked_for_in_the_documented_order() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let level = |surroundings: &Surroundings, flags: &Flags| Config::load(surroundings, flags).unwrap().runtime(&BTreeMap::new()).log_level;
    let write = |path: &Path, level: &str| std::fs::write(path, format!("[log]\nlevel = \"{level}\"\n")).unwrap();
    write(&dir.path().join("etc.toml"), "error");
    assert_eq!(level(&surroundings(dir.path()), &data_flag(&data)), "error");
    write(&data.join(FILE_NAME), "warn");
    assert_eq!(level(&surroundings(dir.path()), &data_flag(&data)), "warn");
    write(&dir.path().join("env.toml"), "debug");
    let named = with(dir.path(), &[("CODEX_WEB_CONFIG", "env.toml")]);
    assert_eq!(level(&named, &data_flag(&data)), "debug");
    write(&dir.path().join("flag.toml"), "trace");
    let flags = Flags { config: Some("flag.toml".into()), ..data_flag(&data) };
    assert_eq!(level(&named, &flags), "trace");
}

#[test]
fn certificate_and_key_go_together() {
    let dir = tempfile::tempdir().unwrap();
    let text = problems(&with(dir.path(), &[("CODEX_WEB_SERVER__CERT", "/c.pem")]), &data_flag(dir.path()));
    assert!(text.contains("set server.key too"), "{text}");
    let off = [("CODEX_WEB_SERVER__CERT", "/c.pem"), ("CODEX_WEB_SERVER__KEY", "/k.pem"), ("CODEX_WEB_SERVER__TLS", "off")];
    assert!(problems(&with(dir.path(), &off), &data_flag(dir.path())).contains("server.tls: is off"));
}

#[test]
fn the_example_is_a_valid_file_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE_NAME), print::example()).unwrap();
    let config = Config::load(&surroundings(dir.path()), &data_flag(dir.path())).unwrap();
    assert!(config.effective(&BTreeMap::new()).iter().all(|setting| setting.source == Source::Default || setting.key.path() == "data.dir"));
    for key in KEYS {
        assert!(print::example().contains(&format!("#{} = ", key.name)), "{}", key.path());
    }
}

#[test]
fn every_line_of_the_example_is_valid_once_its_mark_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let lines: Vec<String> = print::example()
        .lines()
        .map(|line| line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line).to_owned())
        .collect();
    let file = dir.path().join("all.toml");
    // The one file of the example that is read with it.
    let made = rcgen::generate_simple_self_signed(["ca.example.org".to_owned()]).unwrap();
    let authorities = dir.path().join("ca.pem");
    std::fs::write(&authorities, made.cert.pem()).unwrap();
    let text = lines.join("\n").replace("/etc/codex-web/tls/site-ca.pem", &authorities.to_string_lossy());
    std::fs::write(&file, text).unwrap();
    let flags = Flags { config: Some(file), ..Flags::default() };
    let config = Config::load(&surroundings(dir.path()), &flags).unwrap();
    assert!(config.effective(&BTreeMap::new()).iter().all(Setting::pinned));
}

#[test]
fn every_key_has_a_value_of_its_kind_or_is_unset_on_purpose() {
    let dir = tempfile::tempdir().unwrap();
    let config = Config::load(&surroundings(dir.path()), &data_flag(dir.path())).unwrap();
    for setting in config.effective(&BTreeMap::new()) {
        assert_eq!(setting.value.is_none(), setting.key.default == DefaultValue::Unset, "{}", setting.key.path());
    }
}

#[test]
fn sockets_lie_where_the_machine_keeps_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = Path::new("/data");
    assert_eq!(run_dir(&with(dir.path(), &[("RUNTIME_DIRECTORY", "/run/a:/run/b")]), data), Path::new("/run/a"));
    assert_eq!(run_dir(&with(dir.path(), &[("XDG_RUNTIME_DIR", "/run/user/1000")]), data), Path::new("/run/user/1000/codex-web"));
    assert_eq!(run_dir(&surroundings(dir.path()), data), Path::new("/data/run"));
    assert_eq!(run_dir(&Surroundings { root: true, ..surroundings(dir.path()) }, data), Path::new("/run/codex-web"));
}

#[test]
fn what_workspaces_reach_is_read_from_every_layer_and_the_proxy_is_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join(FILE_NAME),
        "[workspaces]\negress = \"allowlist\"\negress_allow = [\"example.org\", \"10.0.0.0/8:22\"]\negress_proxy = \"file:proxy\"\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("proxy"), "http://ada:sesame@proxy.example.org:3128\n").unwrap();
    let surroundings = with(dir.path(), &[("CODEX_WEB_WORKSPACES__EGRESS_DIRECT", "*.corp.example, 10.0.0.0/8")]);
    let config = Config::load(&surroundings, &data_flag(dir.path())).unwrap();
    let egress = config.runtime(&BTreeMap::new()).egress;
    assert_eq!((egress.mode, egress.allow.len(), config.egress_direct.len()), (Mode::Allowlist, 2, 2));
    let proxy = config.egress_proxy.clone().unwrap();
    assert_eq!(proxy.credentials, Some(("ada".to_owned(), "sesame".to_owned())));
    let shown = format!(
        "{:?} {:?} {:?}",
        print::rows(&config.effective(&BTreeMap::new())),
        print::items(&config.effective(&BTreeMap::new())),
        proxy
    );
    assert!(!shown.contains("sesame"), "{shown}");
    let stored = BTreeMap::from([("workspaces.egress_allow".to_owned(), Json::from(vec!["other.example"]))]);
    assert_eq!(config.runtime(&stored).egress.allow.len(), 2, "the file pins it");
}

#[test]
fn a_mistake_in_what_workspaces_reach_is_named_and_a_secret_is_not_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let variables = [
        ("CODEX_WEB_WORKSPACES__EGRESS", "closed"),
        ("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", "0.0.0.0/0"),
        ("CODEX_WEB_WORKSPACES__EGRESS_PROXY", "https://ada:sesame@proxy"),
        ("CODEX_WEB_WORKSPACES__EGRESS_DIRECT", "10.0.0.0/8"),
    ];
    let text = problems(&with(dir.path(), &variables), &data_flag(dir.path()));
    for part in [
        "open or allowlist or none",
        "it would open every address",
        "egress_proxy: the value is not valid",
        "goes round workspaces.egress_proxy",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    assert!(!text.contains("sesame"), "{text}");
}

/// The surroundings of a server with a Kubernetes cluster and these settings besides.
fn on_kubernetes(more: &[(&str, &str)]) -> Result<Config, Problems> {
    let base = [("CODEX_WEB_CLUSTER__KIND", "kubernetes"), ("CODEX_WEB_CLUSTER__AGENT_IMAGE", "registry.example.org/codex-web:1")];
    let environment = base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let surroundings = Surroundings { environment, current_dir: PathBuf::from("/"), ..Surroundings::default() };
    Config::load(&surroundings, &Flags::default())
}

fn told(found: Result<Config, Problems>) -> String {
    found.map_or_else(|problems| problems.to_string(), |_| "no problem".to_owned())
}

#[test]
fn kubernetes_is_chosen_by_its_key_and_needs_the_image_of_the_agent() {
    assert_eq!(Config::load(&Surroundings::default(), &Flags::default()).unwrap().cluster.kind, cluster::Kind::Local);
    assert_eq!(on_kubernetes(&[]).unwrap().cluster.kind, cluster::Kind::Kubernetes);
    let bare = [("CODEX_WEB_CLUSTER__KIND".to_owned(), "kubernetes".to_owned())].into();
    let surroundings = Surroundings { environment: bare, ..Surroundings::default() };
    assert!(told(Config::load(&surroundings, &Flags::default())).contains("cluster.agent_image: is not set"));
}

#[test]
fn what_network_policies_cannot_hold_is_refused_with_kubernetes_only() {
    let name = ("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", "10.0.0.0/8, *.example.org:443");
    assert!(told(on_kubernetes(&[name])).contains("workspaces.egress_allow: *.example.org:443 is a name"));
    assert!(on_kubernetes(&[("CODEX_WEB_WORKSPACES__EGRESS_ALLOW", "10.0.0.0/8, 192.0.2.1:443")]).is_ok());
    let proxy = ("CODEX_WEB_WORKSPACES__EGRESS_PROXY", "http://proxy.example.org:3128");
    assert!(told(on_kubernetes(&[proxy])).contains("workspaces.egress_proxy: is for the local runtime"));
    let list = Value::List(vec!["example.org".into()]);
    assert!(on_kubernetes(&[]).unwrap().refusal("workspaces.egress_allow", &list).is_some());
    let local = Config::load(&Surroundings::default(), &Flags::default()).unwrap();
    assert!(local.refusal("workspaces.egress_allow", &list).is_none());
}

#[test]
fn a_stored_name_opens_nothing_in_a_cluster() {
    let stored = [("workspaces.egress_allow".to_owned(), serde_json::json!(["example.org", "10.0.0.0/8"]))].into();
    assert_eq!(on_kubernetes(&[]).unwrap().runtime(&stored).egress.allow.len(), 1);
}

#[test]
fn the_built_in_default_is_no_default_where_there_are_no_programs_of_the_host() {
    let nothing = BTreeMap::new();
    assert_eq!(on_kubernetes(&[]).unwrap().runtime(&nothing).default_image, "");
    let chosen = on_kubernetes(&[("CODEX_WEB_WORKSPACES__DEFAULT_IMAGE", "docker.io/library/debian:12")]).unwrap();
    assert_eq!(chosen.runtime(&nothing).default_image, "docker.io/library/debian:12");
}

#[test]
fn the_keys_of_a_cluster_are_read_into_their_types() {
    let config = on_kubernetes(&[
        ("CODEX_WEB_CLUSTER__NODE_SELECTOR", "disktype=ssd, zone=a"),
        ("CODEX_WEB_CLUSTER__TOLERATIONS", "dedicated=ide:NoSchedule, gpu"),
        ("CODEX_WEB_CLUSTER__SERVER_CIDR", "192.0.2.10, 192.0.2.128/25"),
        ("CODEX_WEB_CLUSTER__DNS_SERVERS", "169.254.20.10, 10.245.0.2:1053"),
        ("CODEX_WEB_CLUSTER__NAMESPACE_PREFIX", "team"),
        ("CODEX_WEB_CLUSTER__CONNECT", "port-forward"),
    ])
    .unwrap()
    .cluster;
    assert_eq!((config.node_selector.len(), config.tolerations.len(), config.server_cidr.len(), config.dns_servers.len()), (2, 2, 2, 2));
    assert_eq!((config.namespace_prefix.as_str(), config.connect), ("team", cluster::Connect::PortForward));
    assert_eq!(config.server_labels["app.kubernetes.io/name"], "codex-web");
    for (key, bad) in [
        ("NAMESPACE_PREFIX", "Team"),
        ("NAMESPACE_PREFIX", "team-"),
        ("NAMESPACE_PREFIX", "1team"),
        ("DNS_SERVERS", "dns.example.org"),
        ("TOLERATIONS", "gpu:Never"),
        ("NODE_SELECTOR", "ssd"),
        ("IMAGE_PULL_SECRETS", "Not_A_Name"),
        ("CONTEXT", "production"),
    ] {
        let variable = format!("CODEX_WEB_CLUSTER__{key}");
        assert!(on_kubernetes(&[(&variable, bad)]).is_err(), "{key}={bad}");
    }
}

#[test]
fn added_authorities_are_read_at_the_start_and_what_is_wrong_with_them_is_told_with_everything_else() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["ca.example.org".to_owned()]).unwrap();
    std::fs::write(dir.path().join("ca.pem"), made.cert.pem()).unwrap();
    std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let load = |file: &str| Config::load(&with(dir.path(), &[("CODEX_WEB_SERVER__EXTRA_CA", file)]), &data_flag(dir.path()));
    let extra = load("ca.pem").unwrap().extra_ca.unwrap();
    assert_eq!((extra.count(), extra.pem()), (1, made.cert.pem().as_str()));
    assert!(Config::load(&surroundings(dir.path()), &data_flag(dir.path())).unwrap().extra_ca.is_none());
    for (file, why) in [("key.pem", "it holds a private key"), ("none.pem", "No such file"), (".", "")] {
        let text = load(file).unwrap_err().to_string();
        assert!(text.contains("$CODEX_WEB_SERVER__EXTRA_CA: server.extra_ca: ") && text.contains(why), "{text}");
    }
}
