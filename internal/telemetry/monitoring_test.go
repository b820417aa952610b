package telemetry

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const monitoring = "../../deploy/monitoring"

// TestMonitoringNamesMetrics has alerts and dashboard ask only for metrics that there are.
func TestMonitoringNamesMetrics(t *testing.T) {
	document, err := os.ReadFile("../../docs/METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`lockstep_[a-z_]+`)
	for _, file := range []string{"alerts.yml", "alerts_test.yml", "grafana/dashboards/lockstep.json"} {
		text, err := os.ReadFile(filepath.Join(monitoring, file))
		if err != nil {
			t.Fatal(err)
		}
		found := name.FindAllString(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s has no metrics", file)
		}
		for _, metric := range found {
			if !strings.Contains(string(document), "`"+strings.TrimSuffix(metric, "_bucket")+"`") {
				t.Errorf("%s: there is no metric %s", file, metric)
			}
		}
	}
}

func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(monitoring, "grafana/dashboards/lockstep.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: its number comes twice, or it shows nothing", p.ID, p.Title)
		}
		ids[p.ID] = true
	}
}

// TestQueries has promtool parse what the dashboard asks for, as recording rules.
func TestQueries(t *testing.T) {
	path := promtool(t)
	text, err := os.ReadFile(filepath.Join(monitoring, "grafana/dashboards/lockstep.json"))
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct{ Targets []struct{ Expr string } }
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, p := range d.Panels {
		for j, target := range p.Targets {
			fmt.Fprintf(&rules, "  - {record: panel_%d_%d, expr: %q}\n", i, j, strings.ReplaceAll(target.Expr, "$train_job", ".*"))
		}
	}
	file := filepath.Join(t.TempDir(), "rules.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(path, "check", "rules", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func promtool(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool here: apt-get install prometheus")
	}
	return path
}

// TestRules has promtool read the configuration and the alerts, and see the alerts fire and stay silent. The certificates
// that the configuration names are where Prometheus runs.
func TestRules(t *testing.T) {
	path := promtool(t)
	for _, args := range [][]string{{"check", "config", "--syntax-only", "prometheus.yml"}, {"check", "rules", "--lint-fatal", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		cmd := exec.Command(path, args...)
		cmd.Dir = monitoring
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
