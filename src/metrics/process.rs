//! The process, as the kernel sees it.

use std::fs;

/// What the kernel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Process {
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: i64,
    pub(super) virtual_bytes: i64,
    pub(super) threads: i64,
    pub(super) open_files: i64,
    pub(super) files_max: i64,
    pub(super) start_seconds: f64,
}

/// The kernel's ticks a second, and the bytes of a page, as on every platform that the daemon is built for.
const TICKS: f64 = 100.0;
const PAGE: i64 = 4096;

impl Process {
    /// As it is now; what cannot be read is 0.
    pub(super) fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let boot = fs::read_to_string("/proc/stat").unwrap_or_default();
        let boot = boot.lines().find_map(|line| line.strip_prefix("btime ")?.parse::<f64>().ok());
        let open_files = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let open_files = i64::try_from(open_files).unwrap_or(0);
        Self { open_files, ..Self::parse(&read("stat"), &read("statm"), &read("limits"), boot.unwrap_or(0.0)) }
    }

    fn parse(stat: &str, statm: &str, limits: &str, boot: f64) -> Self {
        // The name of the program, in parentheses, may have anything in it.
        let fields: Vec<_> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
        let pages: Vec<i64> = statm.split_whitespace().filter_map(|field| field.parse().ok()).collect();
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        #[expect(clippy::cast_possible_truncation, reason = "a count of threads")]
        let threads = number(17) as i64;
        Self {
            cpu_seconds: (number(11) + number(12)) / TICKS,
            virtual_bytes: pages.first().map_or(0, |pages| pages * PAGE),
            resident_bytes: pages.get(1).map_or(0, |pages| pages * PAGE),
            threads,
            open_files: 0,
            files_max: limit.and_then(|limit| limit.split_whitespace().next()?.parse().ok()).unwrap_or(0),
            start_seconds: boot + number(19) / TICKS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read_whatever_the_program_is_called() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 9 0 1234 5 6";
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   524288    files\n";

        let process = Process::parse(stat, "100 10 5 1 0 50 0", limits, 1000.0);

        assert_eq!((process.cpu_seconds, process.threads, process.start_seconds), (2.0, 9, 1012.34));
        assert_eq!((process.virtual_bytes, process.resident_bytes, process.files_max), (409_600, 40_960, 1024));
    }

    #[test]
    fn this_process_has_memory_and_files() {
        let process = Process::now();

        assert!(process.resident_bytes > 0 && process.open_files > 0 && process.threads > 0);
    }
}
