package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// What the program may take to refuse a bad file, all in all: a record may be long, and takes twice as much while it grows.
const (
	badInputMemory   = 250 << 20
	longRecordMemory = 700 << 20
)

// TestBadInput gives the program data files that are wrong, or lie about their size: each is refused with file and place, and
// takes little memory.
func TestBadInput(t *testing.T) {
	if raced {
		t.Skip("the race detector takes memory that is not the program's")
	}
	noEnvironment(t)
	t.Chdir(t.TempDir())
	class := []string{"--set", "dataset.target={column: class, type: category}"}
	nan := npy(t, "<f4", "(2, 2)", []float32{1, 2, 3, float32(math.NaN())})
	digits := npz(t, nan, npy(t, "<i8", "(2,)", []int64{0, 1}))
	for name, c := range map[string]struct {
		content []byte
		args    []string
		want    string
	}{
		"ragged.csv":       {[]byte("a,b,class\n1,2,x\n3,x\n"), class, "ragged.csv: record 2 (line 3): 2 cells, want 3"},
		"nan.csv":          {[]byte("a,class\n1,x\nNaN,y\n"), class, `nan.csv: record 2 (line 3), column "a": "NaN" is not a finite number`},
		"endless.csv.gz":   {gzipBomb(t, "a,class\n1,\"", 'x'), class, "endless.csv.gz: record 1: "},
		"bomb.csv.gz":      {gzipBomb(t, "a,class\n", '\n'), class, "bomb.csv.gz: record 1: "},
		"truncated.csv.gz": {truncatedTable(t), class, "truncated.csv.gz: record 5001: truncated gzip stream"},
		"word.jsonl":       {[]byte("{\"a\": 1, \"class\": \"x\"}\n{\"a\": \"old\", \"class\": \"y\"}\n"), class, `word.jsonl: record 2 (line 2), column "a": "\"old\"" is not a number`},
		"ragged.jsonl":     {[]byte("{\"a\": [1, 2], \"class\": \"x\"}\n{\"a\": [1], \"class\": \"y\"}\n"), class, `ragged.jsonl: record 2 (line 2), column "a"`},
		"magic.parquet":    {[]byte("a,b\n1,2\n"), class, "magic.parquet: not a parquet file"},
		"short.parquet":    {parquetBytes(t)[:60], class, "short.parquet: not a parquet file, or a truncated one"},
		"nan.parquet":      {parquetBytes(t), class, `nan.parquet: record 2, column "a"`},
		"magic.npy":        {[]byte("a,b\n1,2\n"), nil, `magic.npy: not an npy file: it begins with "a,b\n1,"`},
		"nan.npy":          {nan, nil, "nan.npy: record 2: element 1 is NaN"},
		"short.npy":        {nan[:len(nan)-3], nil, "short.npy: record 2: the file ends here: its header announces 2 records"},
		"huge.npy":         {npy(t, "<f4", "(99999999999, 1000)", []float32{}), nil, "huge.npy: 99999999999x1000 elements, over the limit"},
		"claims.npy":       {npy(t, "<f4", "(1000000, 1000)", []float32{1}), nil, "claims.npy: record 1: the file ends here"},
		"magic.npz":        {[]byte("a,b\n1,2\n"), nil, "magic.npz: not a zip archive, or a truncated one"},
		"truncated.npz":    {digits[:len(digits)-9], nil, "truncated.npz: not a zip archive, or a truncated one"},
		"nan.npz":          {digits, nil, "nan.npz/x_train.npy: record 2: element 1 is NaN"},
		"bomb.npz":         {zipBomb(t), nil, "bomb.npz/x_train.npy: "},
		"magic.idx":        {[]byte("a,b\n1,2\n"), nil, "magic.idx: not an idx file: magic number"},
		"claims.idx":       {idx(t, 8, []uint32{4e6, 28, 28}, []byte{1, 2, 3}), nil, "claims.idx: record 1: the file ends here"},
		"bomb.txt.gz":      {gzipBomb(t, "", 'a'), nil, "bomb.txt.gz: "},
		"bad.txt":          {[]byte("good\n\xff\xfe"), nil, "bad.txt: line 2: "},
		"pngs/a/x.png":     {pngClaim(100_000, 100_000), nil, "pngs/a/x.png: a png image of 100000x100000 pixels, over the limit"},
		"gifs/a/x.gif":     {[]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00;"), nil, "gifs/a/x.gif: a gif image of 65535x65535 pixels, over the limit"},
		"texts/a/x.png":    {[]byte("a,b\n1,2\n"), nil, "texts/a/x.png: not an image"},
	} {
		t.Run(strings.ReplaceAll(name, "/", "-"), func(t *testing.T) {
			path, _, folder := strings.Cut(name, "/a/")
			if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, c.content, 0o644); err != nil {
				t.Fatal(err)
			}
			if folder {
				c.args = append(c.args, "--format", "image_folder")
			}
			p := startProcess(t, nil, append([]string{"dataset", "inspect", path}, c.args...)...)
			p.wait().want(t, 1, nil, []string{c.want})
			bound := int64(badInputMemory)
			if name == "endless.csv.gz" {
				bound = longRecordMemory
			}
			if most := p.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10; most > bound {
				t.Errorf("it took %d MiB", most>>20)
			}
		})
	}
}

// TestBadServers: what a server says, or does not say, is told with the URL.
func TestBadServers(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/bucket"):
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>Not yours.</Message></Error>")
		case strings.HasSuffix(r.URL.Path, "bad.csv"):
			io.WriteString(w, "a,class\n1,x\n2\n")
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "here", "AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"} {
		t.Setenv(name, value)
	}
	for source, want := range map[string]string{
		server.URL + "/none.csv": server.URL + "/none.csv: the server says 404 Not Found",
		server.URL + "/bad.csv":  server.URL + "/bad.csv: record 2 (line 3): 1 cells, want 2",
		"s3://bucket/a.csv":      "s3://bucket/a.csv: ",
	} {
		write(t, "remote.yaml", strings.Replace(strings.Replace(tinySpec, "source: .", "source: "+source, 1), "    train: {file: tiny.csv}\n    header: false\n    target: {column: \"2\", type: category}\n", "    target: {column: class, type: category}\n", 1))
		r := command(t, "dataset", "inspect", "remote.yaml")
		r.want(t, 1, nil, []string{want})
		if strings.HasPrefix(source, "s3") {
			r.want(t, 1, nil, []string{"AccessDenied"})
		}
	}
}

// gzipBomb is a text and then 130 MB of one byte.
func gzipBomb(t *testing.T, begin string, fill byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(begin))
	if _, err := io.Copy(w, io.LimitReader(same(fill), 130<<20)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

// same is an endless stream of one byte.
type same byte

func (s same) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(s)
	}
	return len(p), nil
}

// zipBomb is an archive with an array of 130 MB of zeros.
func zipBomb(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, flate.BestSpeed) })
	e, err := w.Create("x_train.npy")
	if err == nil {
		_, err = e.Write(npy(t, "|u1", "(130000, 1024)", []byte{}))
	}
	if err == nil {
		_, err = io.Copy(e, io.LimitReader(same(0), 130_000*1024))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// pngClaim is the beginning of a PNG file of this size.
func pngClaim(width, height uint32) []byte {
	b := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), width), height)
	b = append(b, 8, 0, 0, 0, 0)
	head := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), b...)
	return binary.BigEndian.AppendUint32(head, crc32.ChecksumIEEE(b))
}

// parquetBytes is a file whose second record has a number that is none.
func parquetBytes(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, []flower{{A: 1}, {A: math.NaN(), Class: 1}}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// truncatedTable is a compressed table without its last bytes.
func truncatedTable(t *testing.T) []byte {
	t.Helper()
	b := gzipped(t, "a,class\n"+strings.Repeat("1,x\n", 5000))
	return b[:len(b)-6]
}
