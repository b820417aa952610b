package dataset

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"lockstep/internal/spec"
)

func TestCSVGood(t *testing.T) {
	for name, c := range map[string]struct {
		text    string
		change  func(*spec.Dataset)
		x       []float32
		labels  []int32
		y       []float32
		classes []string
	}{
		"plain":               {text: "a,b,class\n1,2,x\n3,-4.5e-1,y\n", x: []float32{1, 2, 3, -0.45}, labels: []int32{0, 1}, classes: []string{"x", "y"}},
		"no newline at end":   {text: "a,class\n1,x", x: []float32{1}, labels: []int32{0}, classes: []string{"x"}},
		"carriage returns":    {text: "a,class\r\n1,x\r\n", x: []float32{1}, labels: []int32{0}, classes: []string{"x"}},
		"byte-order mark":     {text: "\ufeffclass,a\nx,1\n", x: []float32{1}, labels: []int32{0}, classes: []string{"x"}},
		"blanks, blank lines": {text: " a , class\n\n 1 ,x \n\n", x: []float32{1}, labels: []int32{0}, classes: []string{"x"}},
		"quotes": {text: "a,\"class\"\n\"1\",\"x, \"\"y\"\"\nz\"\n2,x\n", x: []float32{1, 2}, labels: []int32{1, 0},
			classes: []string{"x", "x, \"y\"\nz"}},
		"target in the middle": {text: "a,class,b\n1,x,2\n", x: []float32{1, 2}, labels: []int32{0}, classes: []string{"x"}},
		"classes as numbers":   {text: "a,class\n1,10\n1,9\n1,1e0\n", x: []float32{1, 1, 1}, labels: []int32{2, 1, 0}, classes: []string{"1e0", "9", "10"}},
		"classes as words":     {text: "a,class\n1,10\n1,9\n1,z\n", x: []float32{1, 1, 1}, labels: []int32{0, 1, 2}, classes: []string{"10", "9", "z"}},
		"classes given": {text: "a,class\n1,y\n1,x\n", x: []float32{1, 1}, labels: []int32{0, 2}, classes: []string{"y", "unused", "x"},
			change: func(d *spec.Dataset) { d.Target.Classes = []string{"y", "unused", "x"} }},
		"no header": {text: "1,2,x\n", x: []float32{1, 2}, labels: []int32{0}, classes: []string{"x"},
			change: func(d *spec.Dataset) { d.Header, d.Target.Column = new(bool), "2" }},
		"number target": {text: "a,class\n1,2.5\n2,-3\n", x: []float32{1, 2}, y: []float32{2.5, -3},
			change: func(d *spec.Dataset) { d.Target.Type = "number" }},
		"no target": {text: "a,class\n1,2.5\n2,-3\n", x: []float32{1, 2.5, 2, -3}, y: []float32{1, 2.5, 2, -3},
			change: func(d *spec.Dataset) { d.Target = nil }},
		"features": {text: "skipped,b,class,a\nwords,2,x,1\nmore,4,y,3\n", x: []float32{1, 2, 3, 4}, labels: []int32{0, 1}, classes: []string{"x", "y"},
			change: func(d *spec.Dataset) {
				d.Features = []spec.Feature{{Column: "a", Type: "number"}, {Column: "b", Type: "number"}}
			}},
		"one-hot": {text: "n,class,k\n5,x,red\n6,y,blue\n7,x,red\n8,x,green\n", labels: []int32{0, 1, 0, 0}, classes: []string{"x", "y"},
			x: []float32{0, 0, 1, 5 /**/, 1, 0, 0, 6 /**/, 0, 0, 1, 7 /**/, 0, 1, 0, 8},
			change: func(d *spec.Dataset) {
				d.Features = []spec.Feature{{Column: "k", Type: "category"}, {Column: "n", Type: "number"}}
			}},
		"least of a constant": {text: "a,class\n7,x\n7,x\n", x: []float32{0, 0}, labels: []int32{0, 0}, classes: []string{"x"},
			change: func(d *spec.Dataset) {
				d.Features = []spec.Feature{{Column: "a", Type: "number", Preprocessing: "min_max"}}
			}},
		"fitted": {text: "a,b,c,d,class\n1,10,7,4,x\n3,30,7,4,x\n", labels: []int32{0, 0}, classes: []string{"x"},
			x: []float32{-1, 0, 0, 4 /**/, 1, 1, 0, 4},
			change: func(d *spec.Dataset) {
				d.Features = []spec.Feature{{Column: "a", Type: "number", Preprocessing: "standardize"}, {Column: "b", Type: "number", Preprocessing: "min_max"},
					{Column: "c", Type: "number", Preprocessing: "standardize"}, {Column: "d", Type: "number"}}
			}},
		"fitted, then preprocessed": {text: "a,k,b,class\n1,p,1,x\n3,q,2,x\n", labels: []int32{0, 0}, classes: []string{"x"},
			x: []float32{-1, 1, 0, 15 /**/, 19, 0, 1, 25},
			change: func(d *spec.Dataset) {
				d.Features = []spec.Feature{{Column: "a", Type: "number", Preprocessing: "standardize"}, {Column: "k", Type: "category"}, {Column: "b", Type: "number"}}
				d.Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: 10, Offset: 5}, {Type: "standardize", Mean: []float64{-4, 0}, Std: []float64{1, 1}}}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, content := range [][]byte{[]byte(c.text), zipped([]byte(c.text))} {
				d := csvSpec(folder(t, map[string][]byte{"a.csv": content}))
				if c.change != nil {
					c.change(&d)
				}
				ds := opened(t, d, 1)
				b := whole(t, ds.Split("train"))
				if !slices.Equal(b.X, c.x) || !slices.Equal(b.Labels, c.labels) || !slices.Equal(b.Y, c.y) {
					t.Errorf("X %v labels %v Y %v\nwant %v labels %v Y %v", b.X, b.Labels, b.Y, c.x, c.labels, c.y)
				}
				info := ds.Info()
				if !slices.Equal(info.Classes, c.classes) || info.ClassCount != len(c.classes) {
					t.Errorf("%d classes %q, want %q", info.ClassCount, info.Classes, c.classes)
				}
				if want := len(c.x) / b.N; !slices.Equal(info.Shape, []int{want}) {
					t.Errorf("shape %v, want [%d]", info.Shape, want)
				}
			}
		})
	}
}

func TestCSVBad(t *testing.T) {
	small := limits{total: 1000, record: 200, values: 3}
	for name, c := range map[string]struct {
		text   string
		change func(*spec.Dataset)
		want   string
	}{
		"empty":          {text: "", want: "read train files: a.csv: no records"},
		"only a header":  {text: "a,class\n", want: "read train files: a.csv: no records after the header"},
		"short row":      {text: "a,b,class\n1,2,x\n\n1,x\n", want: "read train files: a.csv: record 2 (line 4): 2 cells, want 3"},
		"long row":       {text: "a,class\n1,x,2\n", want: "read train files: a.csv: record 1 (line 2): 3 cells, want 2"},
		"word":           {text: "a,b,class\n1,2,x\n1,old,x\n", want: `read train files: a.csv: record 2 (line 3), column "b": "old" is not a number`},
		"line in quotes": {text: "a,class\n1,\"x\ny\"\nold,x\n", want: `read train files: a.csv: record 2 (line 4), column "a": "old" is not a number`},
		"empty cell":     {text: "a,class\n ,x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "" is not a number: the cell is empty`},
		"empty class":    {text: "a,class\n1,\n", want: `read train files: a.csv: record 1 (line 2), column "class": "" is not a value of a category: the cell is empty`},
		"NaN":            {text: "a,class\nNaN,x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "NaN" is not a finite number`},
		"Inf":            {text: "a,class\n-inf,x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "-inf" is not a finite number`},
		"too large":      {text: "a,class\n4e38,x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "4e38" is out of the range of float32`},
		"hexadecimal":    {text: "a,class\n0x10p0,x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "0x10p0" is not a number`},
		"long value":     {text: "a,class\n" + strings.Repeat("é", 50) + ",x\n", want: `read train files: a.csv: record 1 (line 2), column "a": "` + strings.Repeat("é", 20) + `"... is not a number`},
		"stray quote":    {text: "a,class\n1\"2,x\n", want: `read train files: a.csv: record 1 (line 2): bare " in non-quoted-field`},
		"open quote":     {text: "a,class\n1,\"x\n", want: `read train files: a.csv: record 1 (line 2): extraneous or missing " in quoted-field`},
		"column twice":   {text: "a,a,class\n1,2,x\n", want: `read train files: a.csv: line 1: columns 1 and 2 are both named "a"; if there is no header, say header: false`},
		"no such target": {text: "a,b\n1,2\n", want: `read train files: a.csv: no column "class"; there are "a", "b"`},
		"only a target":  {text: "class\nx\n", want: `read train files: a.csv: line 1: 0 columns to read, want 1 to 3`},
		"wide":           {text: "a,b,c,class\n1,2,3,x\n", want: `read train files: a.csv: line 1: 3 columns to read, want 1 to 3`},
		"unknown class": {text: "a,class\n1,x\n2,z\n", change: func(d *spec.Dataset) { d.Target.Classes = []string{"x", "y"} },
			want: `read train files: a.csv: record 2 (line 3), column "class": "z" is not among the values "x", "y"`},
		"too many classes":  {text: "a,class\n1,p\n1,q\n1,r\n1,p\n1,s\n", want: `read train files: a.csv: record 5 (line 6), column "class": "s" is one value too many: a category has at most 3`},
		"endless row":       {text: "a,class\n1,\"" + strings.Repeat("x", 5000) + "\"\n", want: "read train files: a.csv: record 1: the row is over the limit"},
		"too much data":     {text: "a,class\n" + strings.Repeat("1,x\n", 126), want: "read train files: a.csv: record 126 (line 127): more than 1000 bytes of records"},
		"no such feature":   {text: "a,class\n1,x\n", change: func(d *spec.Dataset) { d.Features = []spec.Feature{{Column: "b", Type: "number"}} }, want: `read train files: a.csv: no column "b"; there are "a", "class"`},
		"a step's length":   {text: "a,class\n1,x\n", change: standardized(1, 2), want: "preprocessing standardize: 2 numbers for mean, want 1 or 1"},
		"not finite after":  {text: "a,class\n0,x\n1,x\n", change: rescaled(1e300), want: "a.csv: record 2: preprocessing makes input 0 +Inf"},
		"unknown step":      {text: "a,class\n1,x\n", change: func(d *spec.Dataset) { d.Preprocessing = []spec.Preprocessor{{Type: "blur"}} }, want: `preprocessing "blur" is not supported yet`},
		"idx names":         {text: "a,class\n1,x\n", change: func(d *spec.Dataset) { d.Train = spec.Files{Images: "a.csv"} }, want: `read train files: a csv dataset names its file as "file", not as "images" and "labels"`},
		"no share of split": {text: "a,class\n1,x\n", change: func(d *spec.Dataset) { d.Split = &spec.Split{Train: 0.9, Val: 0.1} }, want: "split val: a fraction of 0.1 of 1 records is none"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a.csv": []byte(c.text)})
			d := csvSpec(dir)
			if c.change != nil {
				c.change(&d)
			}
			refused(t, d, small, dir, c.want)
		})
	}
}

func standardized(mean ...float64) func(*spec.Dataset) {
	return func(d *spec.Dataset) {
		d.Preprocessing = []spec.Preprocessor{{Type: "standardize", Mean: mean, Std: mean}}
	}
}

func rescaled(scale float64) func(*spec.Dataset) {
	return func(d *spec.Dataset) { d.Preprocessing = []spec.Preprocessor{{Type: "rescale", Scale: scale}} }
}

// The columns, values and classes of the train files bind the others, wherever their columns stand.
func TestCSVFilesOfItsOwn(t *testing.T) {
	dir := folder(t, map[string][]byte{
		"a.csv":   []byte("n,k,class\n1,red,b\n3,blue,a\n"),
		"b.csv":   []byte("more,class,k,n\n-,b,blue,5\n"),
		"bad.csv": []byte("n,k,class\n1,red,a\n1,green,b\n"),
		"bed.csv": []byte("n,k,class\n1,red,c\n"),
	})
	d := csvSpec(dir)
	d.Features = []spec.Feature{{Column: "n", Type: "number", Preprocessing: "min_max"}, {Column: "k", Type: "category"}}
	d.Test = &spec.Files{File: "b.csv"}
	ds := opened(t, d, 1)
	b := whole(t, ds.Split("test"))
	if want := []float32{2, 1, 0}; !slices.Equal(b.X, want) || !slices.Equal(b.Labels, []int32{1}) {
		t.Errorf("test record %v %v, want %v [1]", b.X, b.Labels, want)
	}
	if file, n := ds.Split("test").Record(0); !strings.HasSuffix(file, "b.csv") || n != 1 {
		t.Errorf("record 0 of test is %s %d", file, n)
	}
	want := []Column{{Name: "n", Type: "number", Preprocessing: "min_max", Center: 1, Scale: 2}, {Name: "k", Type: "category", Values: []string{"blue", "red"}}}
	for i, c := range ds.Info().Columns {
		if fmt.Sprint(c) != fmt.Sprint(want[i]) {
			t.Errorf("column %+v, want %+v", c, want[i])
		}
	}
	d.Test.File = "bad.csv"
	refused(t, d, defaultLimits, dir, `read test files: bad.csv: record 2 (line 3), column "k": "green" is not among the values "blue", "red"`)
	d.Test.File = "bed.csv"
	refused(t, d, defaultLimits, dir, `read test files: bed.csv: record 1 (line 2), column "class": "c" is not among the values "a", "b"`)
}

func TestCSVOneHotLimit(t *testing.T) {
	dir := folder(t, map[string][]byte{"a.csv": []byte("k,class\n1,x\n2,x\n3,x\n")})
	d := csvSpec(dir)
	d.Features = []spec.Feature{{Column: "k", Type: "category"}}
	refused(t, d, limits{total: 1000, record: 8, values: 10}, dir, "read train files: a.csv: its categories make 3 inputs, over the limit of 2")
}

// Rows in more than one block, against encoding/csv.
func TestCSVManyRows(t *testing.T) {
	var text strings.Builder
	text.WriteString("class,a,b,c\n")
	n := 1<<17/3 + 17
	for i := range n {
		fmt.Fprintf(&text, "c%d,%d,%g,%d\n", i%3, i, float64(i)/7, -i)
	}
	ds := opened(t, csvSpec(folder(t, map[string][]byte{"a.csv": []byte(text.String())})), 1)
	rows, err := csv.NewReader(strings.NewReader(text.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	b := whole(t, ds.Split("train"))
	if b.N != n {
		t.Fatalf("%d records, want %d", b.N, n)
	}
	for i, row := range rows[1:] {
		for j := range 3 {
			if v, _ := strconv.ParseFloat(row[1+j], 64); b.X[3*i+j] != float32(v) {
				t.Fatalf("record %d, input %d: %v, want %s", i, j, b.X[3*i+j], row[1+j])
			}
		}
		if want := row[0]; ds.Info().Classes[b.Labels[i]] != want {
			t.Fatalf("record %d: class %d, want %s", i, b.Labels[i], want)
		}
	}
}

// FuzzCSV compares what is accepted with encoding/csv and strconv, and bounds what is held.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"a,b,class\n1,2,x\n3,4,y\n", "\ufeffa,class\r\n1,\"x\"\r\n", "1,2\n3,4\n", "a,class\n1,\"x\ny\"\n", "a,class\nNaN,x\n",
		"a,class\n1e-50,x\n-0,\" x\"\n", "a;class\n1;x\n", "class\n", ",\n,\n", "a,class\n0x1,x\n1_0,x\n",
	} {
		f.Add([]byte(s), true)
		f.Add(zipped([]byte(s)), false)
	}
	lim := limits{total: 4096, record: 512, values: 16}
	f.Fuzz(func(t *testing.T, content []byte, header bool) {
		name := "class"
		if !header {
			name = "1"
		}
		r := &tableReader{lim: lim, target: &column{name: name, category: true}}
		file, err := opener(content)
		if err != nil {
			return
		}
		var tab *table
		in, err := newCSVRows(file, lim, ',', header)
		if err == nil {
			tab, err = r.table(in, "memory")
		}
		var e *RecordError
		if err != nil {
			if !errors.As(err, &e) {
				t.Fatalf("error without a place: %v", err)
			}
			return
		}
		held := 4*len(tab.target) + 4*tab.n*tab.columns
		if int64(held) > lim.total {
			t.Fatalf("%d bytes held, limit %d", held, lim.total)
		}
		file, _ = opener(content)
		var plain bytes.Buffer
		plain.ReadFrom(file)
		text, _ := bytes.CutPrefix(plain.Bytes(), []byte("\ufeff"))
		rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatalf("accepted, but encoding/csv says: %v", err)
		}
		names := rows[0]
		if header {
			rows = rows[1:]
		}
		if len(rows) != tab.n {
			t.Fatalf("%d records, want %d", tab.n, len(rows))
		}
		at := 1
		if header {
			at = slices.IndexFunc(names, func(s string) bool { return strings.TrimSpace(s) == "class" })
		}
		for i, row := range rows {
			if got, want := r.target.values.names[int(tab.target[i])], strings.TrimSpace(row[at]); got != want {
				t.Fatalf("record %d: class %q, want %q", i, got, want)
			}
			cells := slices.Delete(slices.Clone(row), at, at+1)
			for j, cell := range cells {
				want, err := strconv.ParseFloat(strings.TrimSpace(cell), 64)
				got := float32(0)
				if e := tab.with(i, func(r tableRow) { got = r.at(j) }); e != nil {
					t.Fatal(e)
				}
				if err != nil || math.Float32bits(got) != math.Float32bits(float32(want)) {
					t.Fatalf("record %d, input %d: %v, want %q", i, j, got, cell)
				}
			}
		}
	})
}

func BenchmarkOpenCSV(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("class")
	for j := range 64 {
		fmt.Fprintf(&text, ",f%d", j)
	}
	for i := range 2000 {
		fmt.Fprintf(&text, "\n%d", i%10)
		for j := range 64 {
			fmt.Fprintf(&text, ",%d.%d", (i*j)%17, i%10)
		}
	}
	d := csvSpec(folder(b, map[string][]byte{"a.csv": text.Bytes()}))
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, err := Open(b.Context(), d, 1); err != nil {
			b.Fatal(err)
		}
	}
}
