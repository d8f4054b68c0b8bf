// Package stats turns many samples into the few figures that are reported.
package stats

import (
	"math/bits"
	"slices"
)

// A value is kept to subBits bits below its highest one, so that a quantile is
// off by 1/256 at most, whatever its size.
const (
	subBits = 7
	sub     = 1 << subBits
)

// Histogram counts durations in nanoseconds, in a fixed space of 58 KiB. The
// zero value is ready; it is for one goroutine.
type Histogram struct {
	counts [(64 - subBits) * sub]uint64
	total  uint64
	max    int64
}

// Record counts one value; a negative one counts as 0.
func (h *Histogram) Record(value int64) {
	value = max(value, 0)
	h.counts[slot(uint64(value))]++
	h.total++
	h.max = max(h.max, value)
}

// Total is how many values were recorded.
func (h *Histogram) Total() uint64 { return h.total }

// Max is the largest value, exact.
func (h *Histogram) Max() int64 { return h.max }

// Quantile gives the smallest value that at least the fraction q of all values
// does not exceed, to 1/256; 0 where nothing was recorded.
func (h *Histogram) Quantile(q float64) int64 {
	if h.total == 0 {
		return 0
	}
	rank := min(uint64(q*float64(h.total)+0.999999), h.total)
	rank = max(rank, 1)
	var seen uint64
	for i := range h.counts {
		seen += h.counts[i]
		if seen >= rank {
			return min(middle(i), h.max)
		}
	}
	return h.max
}

// slot is where a value is counted: below 2*sub each value has its own slot,
// above, sub slots share one power of two.
func slot(value uint64) int {
	shift := max(bits.Len64(value)-subBits-1, 0)
	return shift<<subBits + int(value>>shift)
}

// middle is the value in the middle of a slot.
func middle(slot int) int64 {
	if slot < 2*sub {
		return int64(slot)
	}
	shift := slot>>subBits - 1
	low := int64(slot-shift<<subBits) << shift
	return low + int64(1)<<shift/2
}

// Median is the middle of the values, the mean of the two middle ones where
// their number is even; 0 of none. It leaves the values as they are.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}
