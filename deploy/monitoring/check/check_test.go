// Package check reads the dashboard with Grafana's own types. It is a module of its own, since nothing else needs them.
package check

import (
	"errors"
	"os"
	"testing"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

const file = "../grafana/dashboards/lockstep.json"

// TestDashboard: it has all that Grafana wants, and no field that it does not know, down to the panels' options, and no value
// that it does not take.
func TestDashboard(t *testing.T) {
	plugins.RegisterDefaultPlugins()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard.Dashboard
	for _, err := range []error{d.UnmarshalJSONStrict(text), d.Validate()} {
		var wrong cog.BuildErrors // of which there may be none
		if err != nil && (!errors.As(err, &wrong) || len(wrong) > 0) {
			t.Error(err)
		}
	}
	if len(d.Panels) == 0 {
		t.Error("there are no panels")
	}
}
