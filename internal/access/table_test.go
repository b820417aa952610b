package access

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	"lockstep/internal/certs"
)

// TestEveryMethodStandsInTheTable: a new method needs an entry before anybody may call it.
func TestEveryMethodStandsInTheTable(t *testing.T) {
	declared := map[string]bool{}
	protoregistry.GlobalFiles.RangeFilesByPackage("lockstep.v1", func(f protoreflect.FileDescriptor) bool {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			for k := range s.Methods().Len() {
				name := "/" + string(s.FullName()) + "/" + string(s.Methods().Get(k).Name())
				declared[name] = true
				if _, ok := methods[name]; !ok {
					t.Errorf("who may call %s does not stand in the table", name)
				}
			}
		}
		return true
	})
	if len(declared) < 30 {
		t.Fatalf("only %d methods found", len(declared))
	}
	for name := range methods {
		if strings.HasPrefix(name, "/lockstep.v1.") && !strings.HasPrefix(name, "/lockstep.v1.Ring/") && !declared[name] {
			t.Errorf("%s stands in the table, but does not exist", name)
		}
	}
}

// TestWhoMayDoMore: of people each may do all that those before may, and nobody else may do everything.
func TestWhoMayDoMore(t *testing.T) {
	for name, r := range methods {
		for _, pair := range [][2]certs.Role{{certs.Reader, certs.User}, {certs.User, certs.Admin}} {
			if r.allows(certs.Identity{Role: pair[0]}) && !r.allows(certs.Identity{Role: pair[1]}) {
				t.Errorf("%s is for %s but not for %s", name, pair[0], pair[1])
			}
		}
		if r.open != strings.HasPrefix(name, "/grpc.health.v1.Health/") && name != "/grpc.health.v1.Health/Watch" {
			t.Errorf("%s: open is %v", name, r.open)
		}
		if r.allows(certs.Identity{Role: certs.NATS}) && !r.open {
			t.Errorf("%s is for NATS servers", name)
		}
	}
	if Allows("/lockstep.v1.Jobs/New", &certs.Identity{Role: certs.Admin}) {
		t.Error("what does not stand in the table is allowed")
	}
}

func TestPaths(t *testing.T) {
	for request, least := range map[string]certs.Role{
		"GET /healthz": "", "HEAD /readyz": "", "GET /": "", "GET /app.js": "", "GET /api/v1/whoami": "",
		"GET /api/v1/jobs": certs.Reader, "GET /metrics": certs.Reader, "GET /api/v1/changes": certs.Reader,
		"POST /api/v1/jobs": certs.User, "POST /api/v1/jobs/x/cancel": certs.User,
		"DELETE /api/v1/jobs/x": certs.Admin, "POST /": certs.Admin, "POST /api/v1/whoami": certs.Admin, "GET /debug/pprof/": certs.Admin, "GET /api/v2/x": certs.Admin,
		"POST /healthz": certs.Admin, "PUT /metrics": certs.Admin,
	} {
		method, path, _ := strings.Cut(request, " ")
		r := ruleOf(method, path)
		if r.open != (least == "") {
			t.Errorf("%s: open is %v", request, r.open)
		}
		reached := r.open
		for _, role := range readers {
			reached = reached || role == least
			if r.allows(certs.Identity{Role: role}) != reached {
				t.Errorf("%s for %s: %v", request, role, !reached)
			}
		}
		if !r.open && r.allows(certs.Identity{Role: certs.Worker}) {
			t.Errorf("%s is for workers", request)
		}
	}
}
