package stats_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/walkergate/walkergate/bench/internal/stats"
)

func TestQuantilesOfSmallNumbersAreExact(t *testing.T) {
	var h stats.Histogram
	for value := int64(1); value <= 100; value++ {
		h.Record(value)
	}
	for q, want := range map[float64]int64{0: 1, 0.01: 1, 0.5: 50, 0.99: 99, 0.995: 100, 1: 100} {
		if got := h.Quantile(q); got != want {
			t.Errorf("quantile %v of 1..100 is %d, want %d", q, got, want)
		}
	}
	if h.Total() != 100 || h.Max() != 100 {
		t.Errorf("total %d and max %d, want 100 and 100", h.Total(), h.Max())
	}
}

func TestQuantilesAgreeWithSortedValues(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	shapes := map[string]func() int64{
		"even":        func() int64 { return random.Int64N(1e9) },
		"long tailed": func() int64 { return int64(1e5 * random.ExpFloat64() * random.ExpFloat64()) },
		"huge":        func() int64 { return random.Int64() },
	}
	for name, draw := range shapes {
		var h stats.Histogram
		values := make([]int64, 20_001)
		for i := range values {
			values[i] = draw()
			h.Record(values[i])
		}
		slices.Sort(values)
		for _, q := range []float64{0.001, 0.25, 0.5, 0.9, 0.99, 0.999} {
			want := values[int(q*float64(len(values)))]
			got := h.Quantile(q)
			if diff := float64(got-want) / float64(want+1); diff > 0.005 || diff < -0.005 {
				t.Errorf("%s: quantile %v is %d, sorted values say %d", name, q, got, want)
			}
		}
		if h.Quantile(1) > values[len(values)-1] {
			t.Errorf("%s: a quantile above the largest value", name)
		}
	}
}

func TestNothingRecordedIsZero(t *testing.T) {
	var h stats.Histogram
	if h.Quantile(0.5) != 0 || h.Max() != 0 || stats.Median(nil) != 0 {
		t.Error("figures out of nothing")
	}
	h.Record(-5)
	if h.Quantile(0.5) != 0 || h.Total() != 1 {
		t.Error("a negative value does not count as 0")
	}
}

func TestMedian(t *testing.T) {
	values := []float64{9, 1, 5}
	if got := stats.Median(values); got != 5 {
		t.Errorf("median of three: %v", got)
	}
	if !slices.Equal(values, []float64{9, 1, 5}) {
		t.Error("the values were moved")
	}
	if got := stats.Median([]float64{4, 1, 2, 100}); got != 3 {
		t.Errorf("median of four: %v", got)
	}
}
