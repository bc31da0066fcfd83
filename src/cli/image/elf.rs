//! What an executable says of itself in its first bytes: for which processor it is, and whether it needs a loader.

/// Program header: the path of a loader.
const INTERPRETER: u32 = 3;
/// `e_machine` of the processors that images have names for.
const X86_64: u16 = 62;
const AARCH64: u16 = 183;
/// Where the fields stand in the header of a 64-bit file, and in one program header.
const MACHINE: usize = 18;
const HEADERS_AT: usize = 32;
const HEADER_SIZE: usize = 54;
const HEADER_COUNT: usize = 56;

/// Whether the system's loader and libraries are needed to start it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linking {
    Static,
    Dynamic,
}

/// An executable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elf {
    pub linking: Linking,
    /// As images name it.
    pub machine: Option<&'static str>,
}

impl Elf {
    /// Reads a 64-bit little-endian executable; `None` for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        // Magic number, 64 bits, little-endian.
        if bytes.get(..6)? != b"\x7fELF\x02\x01" {
            return None;
        }
        let start = usize::try_from(u64::from_le_bytes(field(bytes, HEADERS_AT)?)).ok()?;
        let size = usize::from(u16::from_le_bytes(field(bytes, HEADER_SIZE)?));
        let count = usize::from(u16::from_le_bytes(field(bytes, HEADER_COUNT)?));
        let kinds: Option<Vec<u32>> = (0..count).map(|n| field(bytes, start.checked_add(n * size)?).map(u32::from_le_bytes)).collect();
        let machine = match u16::from_le_bytes(field(bytes, MACHINE)?) {
            X86_64 => Some("amd64"),
            AARCH64 => Some("arm64"),
            _ => None,
        };
        let linking = if kinds?.contains(&INTERPRETER) { Linking::Dynamic } else { Linking::Static };
        Some(Self { linking, machine })
    }
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A header with these program headers and nothing else.
    fn executable(machine: u16, kinds: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[MACHINE..][..2].copy_from_slice(&machine.to_le_bytes());
        bytes[HEADERS_AT..][..8].copy_from_slice(&64_u64.to_le_bytes());
        bytes[HEADER_SIZE..][..2].copy_from_slice(&56_u16.to_le_bytes());
        bytes[HEADER_COUNT..][..2].copy_from_slice(&u16::try_from(kinds.len()).unwrap().to_le_bytes());
        for kind in kinds {
            bytes.extend(kind.to_le_bytes());
            bytes.extend([0; 52]);
        }
        bytes
    }

    #[test]
    fn a_program_that_names_a_loader_is_dynamic() {
        assert_eq!(Elf::read(&executable(X86_64, &[6, INTERPRETER, 1])).unwrap().linking, Linking::Dynamic);
        let static_one = Elf::read(&executable(AARCH64, &[6, 1, 2])).unwrap();
        assert_eq!((static_one.linking, static_one.machine), (Linking::Static, Some("arm64")));
    }

    #[test]
    fn this_test_is_an_executable_and_text_is_none() {
        let own = Elf::read(&std::fs::read("/proc/self/exe").unwrap()).unwrap();
        assert!(own.machine.is_some());
        for other in [&b"#!/bin/sh\n"[..], b"\x7fELF", &executable(X86_64, &[1, 1])[..100]] {
            assert_eq!(Elf::read(other), None);
        }
    }
}
