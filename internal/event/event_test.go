package event

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func full() Event {
	return Event{
		ID: "17/2", Source: "/lockstep/cluster", Type: "lockstep.job.state", Subject: "job-1",
		Time: time.Date(2026, 11, 23, 20, 5, 6, 789_000_000, time.UTC),
		Data: json.RawMessage(`{"state":"RUNNING","text":"a<b"}`),
	}
}

func TestEncode(t *testing.T) {
	got, err := Encode(full())
	const want = `{"specversion":"1.0","id":"17/2","source":"/lockstep/cluster","type":"lockstep.job.state","subject":"job-1",` +
		`"time":"2026-11-23T20:05:06.789Z","datacontenttype":"application/json","data":{"state":"RUNNING","text":"a\u003cb"}}`
	if err != nil || string(got) != want {
		t.Errorf("Encode = %s, %v\nwant %s", got, err, want)
	}
	zoned := full()
	zoned.Time = zoned.Time.In(time.FixedZone("east", 3600))
	if again, err := Encode(zoned); err != nil || !bytes.Equal(again, got) {
		t.Errorf("in another time zone: %s, %v", again, err)
	}
	got, err = Encode(Event{ID: "1", Source: "s", Type: "t"})
	if want := `{"specversion":"1.0","id":"1","source":"s","type":"t"}`; err != nil || string(got) != want {
		t.Errorf("Encode = %s, %v\nwant %s", got, err, want)
	}
}

func TestEncodeRefuses(t *testing.T) {
	for name, change := range map[string]func(e *Event){
		"no id":         func(e *Event) { e.ID = "" },
		"no source":     func(e *Event) { e.Source = "" },
		"no type":       func(e *Event) { e.Type = "" },
		"not UTF-8":     func(e *Event) { e.ID, e.Source = "\xc3", "\xa9" },
		"not JSON":      func(e *Event) { e.Data = json.RawMessage("{") },
		"two values":    func(e *Event) { e.Data = json.RawMessage("1 2") },
		"year 12026":    func(e *Event) { e.Time = e.Time.AddDate(10000, 0, 0) },
		"ancient times": func(e *Event) { e.Time = time.Unix(math.MinInt32*100, 0) },
	} {
		e := full()
		change(&e)
		if got, err := Encode(e); err == nil {
			t.Errorf("%s: encoded as %s", name, got)
		}
	}
}

func TestDecode(t *testing.T) {
	data, err := Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	var want Event
	for name, text := range map[string]string{
		"own": string(data),
		"other order, spaces, zone": ` { "data" : {"state":"RUNNING","text":"a\u003cb"}, "type":"lockstep.job.state","source":"/lockstep/cluster",
			"time":"2026-11-23T21:05:06.789+01:00","subject":"job-1","id":"17/2","specversion":"1.0" } `,
	} {
		want = full()
		want.Data = json.RawMessage(`{"state":"RUNNING","text":"a\u003cb"}`)
		got, err := Decode([]byte(text))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
	got, err := Decode([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":null}`))
	if err != nil || string(got.Data) != "null" || !got.Time.IsZero() {
		t.Errorf("null data: %+v, %v", got, err)
	}
}

// refused is what no Decode may accept. In each, one thing differs from a valid event.
var refused = map[string]string{
	"empty":             ``,
	"array":             `[]`,
	"string":            `"x"`,
	"cut":               `{"specversion":"1.0","id":"1","source":"s","type":"t"`,
	"text after":        `{"specversion":"1.0","id":"1","source":"s","type":"t"} {}`,
	"trailing comma":    `{"specversion":"1.0","id":"1","source":"s","type":"t",}`,
	"no specversion":    `{"id":"1","source":"s","type":"t"}`,
	"other specversion": `{"specversion":"0.3","id":"1","source":"s","type":"t"}`,
	"no id":             `{"specversion":"1.0","source":"s","type":"t"}`,
	"empty id":          `{"specversion":"1.0","id":"","source":"s","type":"t"}`,
	"no source":         `{"specversion":"1.0","id":"1","type":"t"}`,
	"no type":           `{"specversion":"1.0","id":"1","source":"s"}`,
	"number id":         `{"specversion":"1.0","id":1,"source":"s","type":"t"}`,
	"null id":           `{"specversion":"1.0","id":null,"source":"s","type":"t"}`,
	"object id":         `{"specversion":"1.0","id":{"a":"b"},"source":"s","type":"t"}`,
	"upper case":        `{"specversion":"1.0","ID":"1","source":"s","type":"t"}`,
	"id twice":          `{"specversion":"1.0","id":"1","id":"1","source":"s","type":"t"}`,
	"data twice":        `{"specversion":"1.0","id":"1","source":"s","type":"t","data":1,"data":1}`,
	"null data twice":   `{"specversion":"1.0","id":"1","source":"s","type":"t","data":null,"data":1}`,
	"unknown attribute": `{"specversion":"1.0","id":"1","source":"s","type":"t","extra":"x"}`,
	"base64 data":       `{"specversion":"1.0","id":"1","source":"s","type":"t","data_base64":"AA=="}`,
	"other data type":   `{"specversion":"1.0","id":"1","source":"s","type":"t","datacontenttype":"text/plain","data":"x"}`,
	"bad time":          `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"yesterday"}`,
	"year 10000 in UTC": `{"specversion":"1.0","id":"1","source":"s","type":"t","time":"9999-12-31T23:59:59-23:00"}`,
}

func TestDecodeRefuses(t *testing.T) {
	if _, err := Decode([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t"}`)); err != nil {
		t.Fatal(err)
	}
	for name, text := range refused {
		if e, err := Decode([]byte(text)); err == nil {
			t.Errorf("%s: decoded as %+v", name, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := Encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"specversion":"1.0","id":"1","source":"s","type":"t","data":null}`))
	for _, text := range refused {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := Decode(data)
		if err != nil {
			return
		}
		again, err := Encode(e)
		if err != nil {
			t.Fatalf("decoded %+v cannot be encoded: %v", e, err)
		}
		back, err := Decode(again)
		if err != nil {
			t.Fatalf("own encoding refused: %v", err)
		}
		third, err := Encode(back)
		if err != nil || !bytes.Equal(third, again) {
			t.Fatalf("encoding is not stable:\n%s\n%s", again, third)
		}
	})
}

func TestSubjects(t *testing.T) {
	for _, c := range []struct {
		got  func() (string, error)
		want string
	}{
		{func() (string, error) { return JobSubject("j-1", State) }, "lockstep.v1.job.j-1.state"},
		{func() (string, error) { return JobSubject("j-1", Progress) }, "lockstep.v1.job.j-1.progress"},
		{func() (string, error) { return JobSubject("j-1", Metric) }, "lockstep.v1.job.j-1.metric"},
		{func() (string, error) { return JobSubject("j-1", Checkpoint) }, "lockstep.v1.job.j-1.checkpoint"},
		{func() (string, error) { return JobSubject("j-1", Alert) }, "lockstep.v1.job.j-1.alert"},
		{func() (string, error) { return JobSubjects("j-1") }, "lockstep.v1.job.j-1.>"},
		{func() (string, error) { return WorkerSubject("w") }, "lockstep.v1.worker.w.state"},
	} {
		if got, err := c.got(); got != c.want || err != nil {
			t.Errorf("%q, %v; want %q", got, err, c.want)
		}
	}
	if ClusterLeader != "lockstep.v1.cluster.leader" || All != "lockstep.v1.>" {
		t.Errorf("%s, %s", ClusterLeader, All)
	}
	long := string(bytes.Repeat([]byte("x"), 129))
	for _, id := range []string{"", "a.b", "a b", "*", "a*", ">", "a>", "a\n", "a\x00", "é", "a\x7f", long} {
		if got, err := JobSubject(id, State); err == nil {
			t.Errorf("id %q accepted: %s", id, got)
		}
		if got, err := WorkerSubject(id); err == nil {
			t.Errorf("id %q accepted: %s", id, got)
		}
		if got, err := JobSubjects(id); err == nil {
			t.Errorf("id %q accepted: %s", id, got)
		}
	}
	if got, err := JobSubject("a", "other"); err == nil {
		t.Errorf("kind accepted: %s", got)
	}
}
