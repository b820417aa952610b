package arch

import (
	"path"
	"slices"
	"strings"
	"testing"
)

const api = "api/lockstep/v1"

// allowed lists, for each package, the packages of this module that its code may import; tests may import more. A
// package that is not here may not exist, one that is here need not.
var allowed = map[string]string{
	"api/lockstep/v1": "",
	"examples":        "",

	"deploy/compose":          "", // tests of a cluster that runs
	"deploy/kubernetes/check": "", // a module of its own
	"deploy/monitoring/check": "", // likewise

	"cmd/coordinator": "internal/certs internal/coord internal/event internal/flagenv internal/healthcheck internal/source internal/telemetry",
	"cmd/worker":      "internal/source internal/certs internal/client internal/flagenv internal/healthcheck internal/trainer internal/telemetry",
	"cmd/lockstep": "api/lockstep/v1 internal/access internal/artifact internal/certs internal/client internal/console internal/contexts internal/coord internal/embed internal/event " +
		"internal/bench internal/chaos internal/flagenv internal/job internal/plan internal/reference internal/ring internal/ringbench internal/spec internal/trainer internal/verify " +
		"internal/dataset internal/picture internal/source " +
		"internal/bundle internal/ckpt internal/export internal/export/onnx internal/export/torch internal/infer internal/serve internal/tfevents internal/telemetry",

	// What the commands start.
	"internal/bench":     "api/lockstep/v1 internal/client internal/embed internal/job internal/kernel internal/rng internal/spec",
	"internal/chaos":     "",
	"internal/plan":      "internal/dataset internal/model internal/optim internal/shard internal/spec internal/trainer",
	"internal/client":    "api/lockstep/v1 internal/access internal/certs internal/artifact internal/ckpt internal/export internal/job internal/manifest internal/source",
	"internal/coord":     "api/lockstep/v1 internal/access internal/certs internal/ckpt internal/client internal/event internal/job internal/shard internal/spec internal/web internal/manifest internal/artifact internal/export internal/telemetry internal/logring internal/source",
	"internal/ringbench": "api/lockstep/v1 internal/fixed internal/kernel internal/ring internal/ring/grpclink",
	"internal/verify":    "api/lockstep/v1 internal/artifact internal/dataset internal/ckpt internal/export internal/ledger internal/shard internal/spec internal/trainer",
	"internal/embed":     "internal/source internal/coord internal/event internal/trainer internal/telemetry",
	"internal/trainer": "api/lockstep/v1 internal/access internal/certs internal/ckpt internal/client internal/dataset internal/export internal/fixed internal/job " +
		"internal/kernel internal/ledger internal/model internal/optim internal/ring internal/ring/grpclink internal/ring/memlink internal/ringbench " +
		"internal/shard internal/source internal/spec internal/logring internal/export/torch internal/telemetry",

	// What the commands share.
	"internal/access":      "api/lockstep/v1 internal/certs",
	"internal/certs":       "",
	"internal/artifact":    "internal/ckpt internal/export",
	"internal/console":     "",
	"internal/contexts":    "",
	"internal/reference":   "",
	"internal/export":      "",
	"internal/flagenv":     "",
	"internal/healthcheck": "internal/certs",
	"internal/ledger":      "",
	"internal/logring":     "",
	"internal/telemetry":   "",
	"internal/picture":     "",

	// Leaves, and the parts that they are made of.
	"internal/ckpt":           "",
	"internal/dataset":        "internal/dataset/blocks internal/rng internal/source internal/spec",
	"internal/dataset/blocks": "",
	"internal/event":          "",
	"internal/fixed":          "internal/kernel",
	"internal/job":            "api/lockstep/v1",
	"internal/kernel":         "",
	"internal/kernel/f64":     "",
	"internal/kernel/gen":     "",
	"internal/model":          "internal/kernel internal/kernel/f64 internal/rng internal/spec",
	"internal/optim":          "internal/kernel internal/kernel/f64 internal/spec",
	"internal/ring":           "",
	"internal/ring/grpclink":  "internal/ring",
	"internal/ring/memlink":   "internal/ring",
	"internal/ring/ringtest":  "internal/ring internal/ring/memlink",
	"internal/rng":            "",
	"internal/shard":          "internal/rng",
	"internal/source":         "internal/manifest",
	"internal/manifest":       "",
	"internal/spec":           "",

	// Models for others.
	"internal/export/onnx":  "internal/export internal/kernel internal/model",
	"internal/export/torch": "internal/export internal/model",
	"internal/bundle":       "internal/artifact internal/ckpt internal/dataset internal/export internal/model internal/spec",
	"internal/infer":        "internal/bundle internal/spec internal/dataset internal/kernel internal/kernel/f64 internal/model internal/picture internal/rng",
	"internal/serve":        "internal/certs internal/dataset internal/infer",
	"internal/tfevents":     "",
	"internal/testpython":   "",

	"internal/arch":        "",
	"internal/testaddr":    "",
	"internal/web":         "",
	"internal/testcluster": "api/lockstep/v1 internal/certs internal/chaos internal/client internal/job internal/spec internal/testaddr",
}

var (
	leaves    = []string{"job", "shard", "kernel", "model", "optim", "fixed", "ring", "ckpt", "event", "dataset"}
	onKernel  = []string{"model", "optim", "fixed"}
	mayUseAPI = []string{"internal/access", "internal/coord", "internal/client", "internal/trainer", "internal/job", "internal/event", "internal/bench", "internal/ringbench", "internal/verify", "internal/embed", "internal/testcluster"}
)

func TestImportsAreInTheTable(t *testing.T) {
	for _, p := range module(t).packages() {
		list, known := allowed[p.dir]
		if !known {
			t.Errorf("package %s is not in the table", p.dir)
			continue
		}
		may := strings.Fields(list)
		for _, imp := range p.imports() {
			if in, ok := strings.CutPrefix(imp.path, modulePath+"/"); ok && !slices.Contains(may, in) {
				t.Errorf("%s: %s imports %s, which the table does not allow", imp.at, p.dir, in)
			}
		}
	}
}

func TestTheTableKeepsTheRules(t *testing.T) {
	for pkg, list := range allowed {
		for _, in := range strings.Fields(list) {
			if why := forbidden(pkg, in); why != "" {
				t.Errorf("the table lets %s import %s: %s", pkg, in, why)
			}
			if _, known := allowed[in]; !known {
				t.Errorf("the table lets %s import %s, which is not in it", pkg, in)
			}
		}
	}
}

// forbidden says which rule keeps pkg from importing in, "" if none does.
func forbidden(pkg, in string) string {
	from, to := leaf(pkg), leaf(in)
	switch {
	case from != "" && to != "" && from != to && (to != "kernel" || !slices.Contains(onKernel, from)):
		return "leaves do not import one another"
	case from != "" && to == "" && in != "internal/rng" && in != "internal/spec" && in != "internal/source" && in != api:
		return "a leaf imports rng, source and spec at most"
	case in == api && !strings.HasPrefix(pkg, "cmd/") && !slices.Contains(mayUseAPI, pkg):
		return "it has no business with the wire protocol"
	case strings.HasPrefix(in, "cmd/") || in == "internal/testcluster" || in == "internal/ring/ringtest":
		return "nothing imports it"
	}
	return ""
}

// leaf returns the leaf that a package is, or is a part of.
func leaf(pkg string) string {
	name, inside := strings.CutPrefix(pkg, "internal/")
	name, _, _ = strings.Cut(name, "/")
	if inside && slices.Contains(leaves, name) {
		return name
	}
	return ""
}

func TestForbidden(t *testing.T) {
	for _, c := range []struct {
		pkg, in string
		want    bool
	}{
		{"internal/model", "internal/kernel", false},
		{"internal/model", "internal/kernel/f64", false},
		{"internal/dataset", "internal/kernel", true},
		{"internal/kernel", "internal/model", true},
		{"internal/ring/grpclink", "internal/ring", false},
		{"internal/ring/grpclink", "internal/fixed", true},
		{"internal/shard", "internal/rng", false},
		{"internal/shard", "internal/trainer", true},
		{"internal/shard", api, true},
		{"internal/job", api, false},
		{"internal/console", api, true},
		{"cmd/lockstep", api, false},
		{"internal/trainer", "internal/shard", false},
		{"internal/embed", "cmd/worker", true},
		{"cmd/lockstep", "internal/testcluster", true},
	} {
		if why := forbidden(c.pkg, c.in); (why != "") != c.want {
			t.Errorf("%s importing %s: %q", c.pkg, c.in, why)
		}
	}
}

// pure packages compute; what they may not import, and what of package time they may not call.
var (
	pure      = []string{"internal/job", "internal/shard", "internal/fixed", "internal/ledger", "internal/rng"}
	impure    = []string{"os", "net", "log", "syscall", "math/rand", "crypto/rand", "testing"} // and what is below them
	clockFuns = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
)

func TestPurePackages(t *testing.T) {
	for _, p := range module(t).packages() {
		if !slices.Contains(pure, p.dir) {
			continue
		}
		for _, imp := range p.imports() {
			for dir := imp.path; dir != "."; dir = path.Dir(dir) {
				if slices.Contains(impure, dir) {
					t.Errorf("%s: %s is pure, but imports %s", imp.at, p.dir, imp.path)
				}
			}
		}
		for _, c := range p.calls("time", clockFuns) {
			t.Errorf("%s: %s is pure, but calls time.%s", c.at, p.dir, c.name)
		}
	}
}
