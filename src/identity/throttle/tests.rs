//! The throttle as a whole: who waits, and who must never have to.

use super::state::REMEMBERED;
use super::*;
use crate::clock::{HOUR, MINUTE, ManualClock, SystemEntropy};
use crate::identity::device::Devices;
use crate::token::seal::MasterKey;

struct Bench {
    clock: Arc<ManualClock>,
    throttle: Arc<SignInThrottle>,
    alice: UserId,
    laptop: DeviceId,
}

fn bench() -> Bench {
    let clock = Arc::new(ManualClock::starting_at(Millis(1_800_000_000_000)));
    let throttle = SignInThrottle::new(clock.clone());
    let alice = UserId::fresh(clock.now(), &SystemEntropy);
    let devices = Devices::new(&MasterKey::generate(&SystemEntropy)).unwrap();
    let cookie = devices.issue(&alice, clock.now(), &SystemEntropy);
    let laptop = devices.recognise(&alice, &cookie, clock.now()).unwrap();
    Bench { clock, throttle, alice, laptop }
}

impl Bench {
    fn address(last: u8) -> AddressKey {
        AddressKey::of(std::net::IpAddr::from([203, 0, 113, last]))
    }

    fn stranger(&self, last: u8) -> Attempt {
        Attempt { address: Self::address(last), account: Some(AccountKey::User(self.alice.clone())), device: None }
    }

    fn own_laptop(&self, last: u8) -> Attempt {
        Attempt { device: Some(self.laptop.clone()), ..self.stranger(last) }
    }

    fn name(last: u8, name: &str) -> Attempt {
        Attempt { address: Self::address(last), account: Some(AccountKey::Name(name.into())), device: None }
    }

    /// Admitted at once, or after this many milliseconds.
    fn admit(&self, attempt: &Attempt) -> Result<(Admission, Wait), Error> {
        self.throttle.try_admit(attempt).map(|admitted| admitted.expect("not crowded"))
    }

    fn wait(&self, attempt: &Attempt) -> Option<u64> {
        match self.admit(attempt) {
            Ok((admission, _)) => {
                admission.withdrawn();
                None
            }
            Err(Error::RateLimited { retry_after_seconds, .. }) => Some(retry_after_seconds),
            Err(other) => panic!("{other}"),
        }
    }

    fn fail(&self, attempt: &Attempt) {
        self.admit(attempt).unwrap().0.failed();
    }

    /// Uses up the day's failures of Alice's account, from many addresses.
    fn hammer(&self) {
        for n in 0..100_u8 {
            self.fail(&self.stranger(n));
            self.clock.advance(10 * SECOND);
        }
    }
}

#[test]
fn a_typing_error_costs_a_second_and_no_message() {
    let b = bench();
    b.fail(&b.stranger(1));
    let (admission, wait) = b.admit(&b.stranger(1)).unwrap();
    assert_eq!(wait, SECOND);
    admission.succeeded();
    assert_eq!(b.admit(&b.stranger(1)).unwrap().1, 0);
}

#[test]
fn the_third_failure_is_told_to_wait() {
    let b = bench();
    for _ in 0..3 {
        b.fail(&b.stranger(1));
    }
    assert_eq!(b.wait(&b.stranger(1)), Some(3));
    b.clock.advance(2 * SECOND);
    assert_eq!(b.wait(&b.stranger(1)), None);
}

#[test]
fn nobody_can_lock_alice_out_of_her_own_laptop() {
    let b = bench();
    b.hammer();
    assert!(b.wait(&b.stranger(200)).is_some_and(|seconds| seconds > 3_600));
    assert_eq!(b.wait(&b.own_laptop(200)), None);
    for n in 0..10 {
        b.fail(&Bench::name(7, &n.to_string()));
    }
    assert!(b.wait(&Bench::name(7, "somebody else")).is_some());
    assert_eq!(b.wait(&b.own_laptop(7)), None);
}

#[test]
fn alice_coming_and_going_does_not_give_strangers_new_tries() {
    let b = bench();
    b.hammer();
    b.admit(&b.own_laptop(1)).unwrap().0.succeeded();
    assert!(b.wait(&b.stranger(200)).is_some());
}

#[test]
fn a_stolen_laptop_has_ten_tries_and_is_then_a_stranger() {
    let b = bench();
    b.hammer();
    for _ in 0..10 {
        b.fail(&b.own_laptop(1));
    }
    assert!(b.wait(&b.own_laptop(1)).is_some());
}

#[test]
fn the_day_ends_and_an_administrator_can_end_it_sooner() {
    let b = bench();
    b.hammer();
    assert!(b.throttle.waits_until(&b.alice).is_some());
    b.clock.advance(DAY);
    assert_eq!(b.wait(&b.stranger(1)), None);
    let b = bench();
    b.hammer();
    b.throttle.unlock(&b.alice);
    assert_eq!(b.wait(&b.stranger(200)), None);
    assert_eq!(b.throttle.waits_until(&b.alice), None);
}

#[test]
fn an_unknown_name_waits_like_a_known_one() {
    let b = bench();
    for _ in 0..5 {
        b.admit(&b.stranger(1)).map(|(a, _)| a.failed()).ok();
        b.admit(&Bench::name(2, "nobody")).map(|(a, _)| a.failed()).ok();
        b.clock.advance(SECOND);
    }
    let (known, unknown) = (b.admit(&b.stranger(1)).err(), b.admit(&Bench::name(2, "nobody")).err());
    assert!(known.is_some());
    assert_eq!(known, unknown);
}

#[test]
fn many_attempts_at_the_same_moment_do_not_outrun_the_counter() {
    let b = bench();
    let admitted: Vec<Admission> = (0..50).filter_map(|_| b.throttle.try_admit(&b.stranger(1)).unwrap()).map(|(a, _)| a).collect();
    assert_eq!(admitted.len(), 4);
    admitted.into_iter().for_each(Admission::failed);
    assert_eq!(b.wait(&b.stranger(1)), Some(3));
}

#[test]
fn an_attempt_that_hangs_up_counts_as_failed_and_a_busy_server_as_nothing() {
    let b = bench();
    for _ in 0..3 {
        drop(b.admit(&b.stranger(1)).unwrap());
    }
    assert_eq!(b.wait(&b.stranger(1)), Some(3));
    let b = bench();
    for _ in 0..50 {
        b.admit(&b.stranger(1)).unwrap().0.withdrawn();
    }
    assert_eq!(b.admit(&b.stranger(1)).unwrap().1, 0);
}

#[test]
fn a_restart_does_not_forget_an_attack() {
    let b = bench();
    b.hammer();
    let rows = b.throttle.take_changes();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].key.as_str(), rows[0].failures), (format!("user:{}", b.alice).as_str(), 100));
    assert!(b.throttle.take_changes().is_empty());
    let again = Bench { throttle: SignInThrottle::new(b.clock.clone()), ..b };
    again.throttle.restore(rows.clone());
    assert!(again.wait(&again.stranger(200)).is_some());
    again.clock.advance(DAY);
    let late = SignInThrottle::new(again.clock.clone());
    late.restore(rows);
    assert!(late.waits_until(&again.alice).is_none());
}

#[test]
fn success_takes_the_row_away() {
    let b = bench();
    b.fail(&b.stranger(1));
    b.throttle.take_changes();
    b.admit(&b.stranger(1)).unwrap().0.succeeded();
    assert_eq!(b.throttle.take_changes().first().map(|row| row.failures), Some(0));
}

#[test]
fn invented_names_do_not_push_out_a_users_counter() {
    let b = bench();
    b.hammer();
    for n in 0..u32::try_from(REMEMBERED * 2).unwrap() {
        let attempt = Attempt {
            address: AddressKey::of(std::net::Ipv4Addr::from(n).into()),
            account: Some(AccountKey::Name(n.to_string())),
            device: None,
        };
        b.fail(&attempt);
    }
    assert!(b.wait(&b.stranger(200)).is_some());
}

#[test]
fn a_secret_without_an_account_is_guarded_by_the_address() {
    let b = bench();
    let attempt = Attempt { address: Bench::address(1), account: None, device: None };
    for _ in 0..10 {
        b.fail(&attempt);
    }
    assert_eq!(b.wait(&attempt), Some(6));
}

#[test]
fn long_waits_are_told_in_words_that_people_use() {
    let words = |wait| refusal(wait).to_string();
    assert_eq!(refusal(1_500).describe().message, "Too many failed attempts. Try again in 2 seconds.");
    assert_eq!(refusal(15 * MINUTE).describe().message, "Too many failed attempts. Try again in 15 minutes.");
    assert_eq!(refusal(20 * HOUR + 1).describe().message, "Too many failed attempts. Try again in 21 hours.");
    assert_eq!(words(1), "too many requests");
}

#[test]
fn a_short_wait_is_waited() {
    let b = bench();
    b.fail(&b.stranger(1));
    b.clock.advance(SECOND - 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let begin = std::time::Instant::now();
    runtime.block_on(b.throttle.admit(b.stranger(1))).unwrap().succeeded();
    assert!(begin.elapsed() >= Duration::from_millis(20));
}

#[test]
fn many_right_passwords_at_the_same_moment_all_get_in() {
    let b = bench();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let sign_in = async |n: u64| {
        let admission = b.throttle.admit(b.stranger(1)).await?;
        tokio::time::sleep(Duration::from_millis(n % 3)).await;
        admission.succeeded();
        Ok::<(), Error>(())
    };
    let all = runtime.block_on(futures_util::future::join_all((0..20).map(sign_in)));
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

#[test]
fn who_waits_for_others_too_long_is_told_to_come_back() {
    let b = bench();
    let _held: Vec<_> = (0..4).map(|_| b.admit(&b.stranger(1)).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let answer = runtime.block_on(b.throttle.admit(b.stranger(1))).err();
    assert!(matches!(answer, Some(Error::RateLimited { retry_after_seconds: 1, .. })), "{answer:?}");
}
