package app_test

import (
	"testing"

	"github.com/walkergate/walkergate/internal/testkit"
)

// entries are what a gateway holds in its index.
type entries struct{ connections, users, channels int }

// indexed reads the entries from the metrics.
func indexed(t *testing.T, g *testkit.Gateway) entries {
	t.Helper()
	families, err := g.App.Registry().Gather()
	if err != nil {
		t.Fatal(err)
	}
	gauges := make(map[string]int)
	for _, family := range families {
		if metrics := family.GetMetric(); len(metrics) == 1 && metrics[0].GetGauge() != nil {
			gauges[family.GetName()] = int(metrics[0].GetGauge().GetValue())
		}
	}
	return entries{gauges["walkergate_connections"], gauges["walkergate_users"], gauges["walkergate_channels"]}
}
