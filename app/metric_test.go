package app_test

import (
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
)

// metric is the value of a metric that has no labels.
func metric(t *testing.T, g *testkit.Gateway, name string) float64 {
	t.Helper()
	families, err := g.App.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		if one := family.GetMetric()[0]; one.GetGauge() != nil {
			return one.GetGauge().GetValue()
		}
		return family.GetMetric()[0].GetCounter().GetValue()
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
