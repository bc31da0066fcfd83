//! The few system calls of the sandbox launcher that have no safe wrapper. The one file with `unsafe` code.
//!
//! Everything here runs in the launcher's own process, which has a single thread: it is started anew for every
//! sandbox and does its work before any runtime exists. Each function is as small as it can be; the order in which
//! they are used, and why, is in `enter.rs`.
#![allow(unsafe_code)]

use rustix::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use rustix::io::{Errno, Result};
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;
use std::ffi::CStr;
use std::mem::MaybeUninit;

/// Which side of a [`fork`] this is.
pub enum Side {
    Parent(Pid),
    Child,
}

/// Up and running.
#[allow(clippy::cast_possible_truncation)] // both flags are below 2^8
const LOOPBACK_FLAGS: libc::c_short = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;

fn last_error() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// Splits this process in two. Must only be called while it has a single thread.
pub fn fork() -> Result<Side> {
    // SAFETY: the launcher has one thread, so the child finds no lock held by a thread that no longer exists.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => Ok(Side::Child),
        pid if pid > 0 => Pid::from_raw(pid).map(Side::Parent).ok_or(Errno::INVAL),
        _ => Err(last_error()),
    }
}

/// Ends a process that came of [`fork`] at once: what its parent set up to happen at the end is not its business.
pub fn leave(code: i32) -> ! {
    // SAFETY: takes a plain integer and does not return.
    unsafe { libc::_exit(code) }
}

/// Leaves the named namespaces for new ones.
pub fn unshare(flags: UnshareFlags) -> Result<()> {
    // SAFETY: the descriptor table is not unshared (`FILES` is never passed), so no descriptor changes its meaning.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Takes a descriptor that the parent process placed at this number. Must be called once per number.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: `fcntl` on a number that is not open fails and touches nothing.
    if unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(last_error());
    }
    // SAFETY: it is open (checked above), it was passed to this process for this purpose, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Closes every descriptor from `first` on.
pub fn close_from(first: u32) -> Result<()> {
    // SAFETY: called before anything above `first` is opened, so no owner of such a descriptor exists.
    let done = unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, 0_u32) };
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

/// Adds mount attributes (`MOUNT_ATTR_*`) to the mount at `path` below `at`, and to all below it where `recursive`.
pub fn set_mount_attributes(at: BorrowedFd<'_>, path: &CStr, recursive: bool, attributes: u64) -> Result<()> {
    let request = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `path` ends with NUL, `request` lives through the call and its true size is given.
    let done = unsafe {
        libc::syscall(libc::SYS_mount_setattr, at.as_raw_fd(), path.as_ptr(), flags, &raw const request, size_of::<libc::mount_attr>())
    };
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

/// Switches the loopback interface of this network namespace on.
pub fn raise_loopback() -> Result<()> {
    // SAFETY: plain integers; the descriptor is owned right after.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(last_error());
    }
    // SAFETY: it was just opened and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: `ifreq` is plain data for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    request.ifr_name[..2].copy_from_slice(&[b'l'.cast_signed() as libc::c_char, b'o'.cast_signed() as libc::c_char]);
    request.ifr_ifru.ifru_flags = LOOPBACK_FLAGS;
    // SAFETY: SIOCSIFFLAGS reads an `ifreq`, which lives through the call.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw mut request) };
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

/// Leaves the session keyring that came from whoever started the server, which may hold somebody's keys.
pub fn leave_keyring() -> Result<()> {
    // SAFETY: joining an anonymous keyring takes a null name and touches no memory.
    let done =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::c_long::from(libc::KEYCTL_JOIN_SESSION_KEYRING), std::ptr::null::<libc::c_char>()) };
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

/// Empties a file by its path, as `truncate(2)` does: without opening it.
pub fn truncate_to_nothing(path: &CStr) -> Result<()> {
    // SAFETY: `path` ends with NUL and lives through the call.
    let done = unsafe { libc::truncate(path.as_ptr(), 0) };
    if done < 0 { Err(last_error()) } else { Ok(()) }
}

fn waited_set() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `sigemptyset` initialises the set; `sigaddset` changes an initialised one.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGCHLD] {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}

/// Holds SIGTERM, SIGINT, SIGHUP and SIGCHLD back until [`next_signal`] asks for them.
pub fn hold_signals() {
    let set = waited_set();
    // SAFETY: the set lives through the call; the old mask is not wanted.
    unsafe { libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Lets held signals through again.
pub fn release_signals() {
    let set = waited_set();
    // SAFETY: as in `hold_signals`.
    unsafe { libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut()) };
}

/// Waits for one of the held signals.
pub fn next_signal() -> Signal {
    let set = waited_set();
    loop {
        // SAFETY: the set lives through the call; details are not wanted.
        let signal = unsafe { libc::sigwaitinfo(&raw const set, std::ptr::null_mut()) };
        match signal {
            libc::SIGTERM => return Signal::TERM,
            libc::SIGINT => return Signal::INT,
            libc::SIGHUP => return Signal::HUP,
            libc::SIGCHLD => return Signal::CHILD,
            _ => {}
        }
    }
}
