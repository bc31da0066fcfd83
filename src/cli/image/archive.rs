//! The archive of an image: an OCI layout (`index.json`, a manifest, a configuration, one layer) in a tar file, with the
//! list that older loaders read instead.
//!
//! The same program gives the same bytes, wherever and whenever: times are zero, names are sorted, and nobody's user or
//! machine stands in it. So two people can compare what they made, and a registry stores it once.

use super::name::Name;
use crate::domain::hex;
use aws_lc_rs::digest::{SHA256, digest};
use flate2::{Compression, GzBuilder};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use tar::{Builder, EntryType, Header};

/// The beginning of time, as every date in the image says.
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// Nobody: the number that images without a distribution have agreed on.
const USER: &str = "65532:65532";
const PATH: &str = "PATH=/usr/local/bin:/usr/bin:/bin";
const PROGRAM: &str = "usr/local/bin/codex-web";
const LAYOUT: &str = "1.0.0";
const INDEX_TYPE: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What an image is made of.
pub struct Image<'a> {
    /// The executable; it must need no loader.
    pub program: &'a [u8],
    /// Its processor, as images name it.
    pub machine: &'static str,
    pub version: &'a str,
    pub name: &'a Name,
}

/// Bytes that are named by their digest.
struct Blob {
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Self {
        let digest = hex::encode(digest(&SHA256, &bytes).as_ref());
        Self { bytes, digest }
    }

    fn json(value: &Value) -> Self {
        Self::new(value.to_string().into_bytes())
    }

    fn path(&self) -> String {
        format!("blobs/sha256/{}", self.digest)
    }

    fn descriptor(&self, kind: &str) -> Value {
        json!({ "mediaType": kind, "digest": format!("sha256:{}", self.digest), "size": self.bytes.len() })
    }
}

impl Image<'_> {
    /// Writes the archive; answers the digest of the manifest, by which registries know the image.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<String> {
        let files = self.files()?;
        let (layer, layer_digest) = (compressed(&files)?, hex::encode(digest(&SHA256, &files).as_ref()));
        let config = Blob::json(&self.config(&layer_digest));
        let manifest = Blob::json(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": config.descriptor(CONFIG_TYPE),
            "layers": [layer.descriptor(LAYER_TYPE)],
        }));
        let named = json!([{ "Config": config.path(), "RepoTags": [self.name.full()], "Layers": [layer.path()] }]);
        let digest = format!("sha256:{}", manifest.digest);
        let mut entries = BTreeMap::from([
            ("index.json".to_owned(), self.index(&manifest).to_string().into_bytes()),
            ("manifest.json".to_owned(), named.to_string().into_bytes()),
            ("oci-layout".to_owned(), json!({ "imageLayoutVersion": LAYOUT }).to_string().into_bytes()),
        ]);
        entries.extend([layer, config, manifest].map(|blob| (blob.path(), blob.bytes)));
        let mut archive = Builder::new(out);
        for folder in ["blobs/", "blobs/sha256/"] {
            archive.append(&header(folder, EntryType::Directory, 0o755, 0)?, io::empty())?;
        }
        for (path, bytes) in &entries {
            archive.append(&header(path, EntryType::Regular, 0o644, bytes.len())?, bytes.as_slice())?;
        }
        archive.into_inner()?.flush()?;
        Ok(digest)
    }

    /// The one layer: the program, the folders above it, and one for temporary files.
    fn files(&self) -> io::Result<Vec<u8>> {
        let mut files = Builder::new(Vec::new());
        for (folder, mode) in [("tmp/", 0o1777), ("usr/", 0o755), ("usr/local/", 0o755), ("usr/local/bin/", 0o755)] {
            files.append(&header(folder, EntryType::Directory, mode, 0)?, io::empty())?;
        }
        files.append(&header(PROGRAM, EntryType::Regular, 0o755, self.program.len())?, self.program)?;
        files.into_inner()
    }

    fn config(&self, layer: &str) -> Value {
        json!({
            "created": EPOCH,
            "architecture": self.machine,
            "os": "linux",
            "config": {
                "User": USER,
                "Env": [PATH],
                "Entrypoint": [format!("/{PROGRAM}")],
                "WorkingDir": "/",
                "Labels": {
                    "org.opencontainers.image.description": env!("CARGO_PKG_DESCRIPTION"),
                    "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
                    "org.opencontainers.image.title": "Codex Web",
                    "org.opencontainers.image.version": self.version,
                },
            },
            "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{layer}")] },
            "history": [{ "created": EPOCH, "created_by": "codex-web image export" }],
        })
    }

    fn index(&self, manifest: &Blob) -> Value {
        let mut entry = manifest.descriptor(MANIFEST_TYPE);
        entry["platform"] = json!({ "architecture": self.machine, "os": "linux" });
        entry["annotations"] = json!({
            "io.containerd.image.name": self.name.canonical(),
            "org.opencontainers.image.ref.name": self.name.full(),
        });
        json!({ "schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry] })
    }
}

/// The layer as it is sent about.
fn compressed(files: &[u8]) -> io::Result<Blob> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
    encoder.write_all(files)?;
    Ok(Blob::new(encoder.finish()?))
}

fn header(path: &str, kind: EntryType, mode: u32, size: usize) -> io::Result<Header> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;
    use tar::Archive;

    fn written(program: &[u8]) -> (Vec<u8>, String) {
        let name = Name::parse("tools/codex-web", "1.2.3").unwrap();
        let mut bytes = Vec::new();
        let digest = Image { program, machine: "amd64", version: "1.2.3", name: &name }.write(&mut bytes).unwrap();
        (bytes, digest)
    }

    fn unpacked(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
        let mut archive = Archive::new(archive);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
        });
        entries.collect()
    }

    /// The blob that a descriptor names; its length and digest must be what the descriptor says.
    fn blob<'a>(files: &'a BTreeMap<String, Vec<u8>>, descriptor: &Value) -> &'a [u8] {
        let named = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
        let bytes = &files[&format!("blobs/sha256/{named}")];
        assert_eq!(hex::encode(digest(&SHA256, bytes).as_ref()), named);
        assert_eq!(descriptor["size"].as_u64(), Some(bytes.len() as u64));
        bytes
    }

    #[test]
    fn what_is_read_back_is_the_program_and_every_digest_holds() {
        let program: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let (archive, told) = written(&program);
        let files = unpacked(&archive);
        assert_eq!(serde_json::from_slice::<Value>(&files["oci-layout"]).unwrap()["imageLayoutVersion"], LAYOUT);
        let index: Value = serde_json::from_slice(&files["index.json"]).unwrap();
        let entry = &index["manifests"][0];
        assert_eq!(entry["digest"], told);
        assert!(entry["annotations"]["io.containerd.image.name"].as_str().unwrap().ends_with("/tools/codex-web:1.2.3"));
        let manifest: Value = serde_json::from_slice(blob(&files, entry)).unwrap();
        let config: Value = serde_json::from_slice(blob(&files, &manifest["config"])).unwrap();
        assert_eq!((&config["config"]["User"], &config["architecture"]), (&json!(USER), &json!("amd64")));
        let mut layer = Vec::new();
        GzDecoder::new(blob(&files, &manifest["layers"][0])).read_to_end(&mut layer).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], format!("sha256:{}", hex::encode(digest(&SHA256, &layer).as_ref())));
        let entrypoint = config["config"]["Entrypoint"][0].as_str().unwrap().trim_start_matches('/').to_owned();
        assert_eq!(unpacked(&layer)[&entrypoint], program);
        let older: Value = serde_json::from_slice(&files["manifest.json"]).unwrap();
        assert_eq!(files[older[0]["Config"].as_str().unwrap()], blob(&files, &manifest["config"]));
        assert_eq!(older[0]["RepoTags"][0], "tools/codex-web:1.2.3");
    }

    #[test]
    fn the_same_program_gives_the_same_bytes_and_nobody_stands_in_them() {
        let (first, _) = written(b"program");
        assert_eq!(first, written(b"program").0);
        assert_ne!(first, written(b"another").0);
        let mut archive = Archive::new(first.as_slice());
        for entry in archive.entries().unwrap() {
            let header = entry.unwrap().header().clone();
            assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
            assert_eq!(header.username().unwrap().unwrap_or_default(), "");
        }
        let names: Vec<String> = Archive::new(first.as_slice())
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        assert!(names.is_sorted(), "{names:?}");
    }

    #[test]
    fn anybody_may_start_the_program_and_only_the_super_user_owns_it() {
        let name = Name::parse("x", "1").unwrap();
        let layer = Image { program: b"p", machine: "amd64", version: "1", name: &name }.files().unwrap();
        let modes: BTreeMap<String, u32> = Archive::new(layer.as_slice())
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path().unwrap().to_string_lossy().into_owned(), entry.header().mode().unwrap())
            })
            .collect();
        assert_eq!((modes[PROGRAM], modes["tmp/"]), (0o755, 0o1777));
    }
}
