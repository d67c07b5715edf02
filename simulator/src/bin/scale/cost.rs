//! What one run of a client cost.

use std::time::Duration;

/// One run, of the handler or of the plain client.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    /// User and system.
    pub(crate) cpu: Duration,
    /// What it cost the cloud meanwhile.
    pub(crate) cloud_cpu: Duration,
    pub(crate) peak_kib: u64,
    /// Which part of the machine had no work meanwhile, from 0 to 1.
    pub(crate) idle: f64,
    /// As the cloud counted them.
    pub(crate) requests: u64,
    pub(crate) connects: u64,
    /// The most requests that were open at one time.
    pub(crate) most_open: u64,
}

impl Cost {
    /// CPU time in milliseconds.
    pub(crate) fn cpu_a_request(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a few millions")]
        let requests = self.requests.max(1) as f64;
        self.cpu.as_secs_f64() * 1000.0 / requests
    }

    pub(crate) fn peak_mib(&self) -> f64 {
        mib(self.peak_kib)
    }
}

pub(crate) fn mib(kib: u64) -> f64 {
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

/// The middle one, or between the middle two; not a number where there are none.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.len() / 2, values.len() % 2) {
        (0, 0) => f64::NAN,
        (middle, 0) => f64::midpoint(values[middle - 1], values[middle]),
        (middle, _) => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_lies_between_the_middle_two() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0].into_iter()) - 2.5).abs() < 1e-9);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn a_request_costs_its_part_of_the_cpu() {
        let cost = Cost {
            cpu: Duration::from_secs(3),
            requests: 6000,
            ..Cost::default()
        };
        assert!((cost.cpu_a_request() - 0.5).abs() < 1e-9);
    }
}
