package dataset

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"lockstep/internal/spec"
)

// wideRow has a column of each encoding.
type wideRow struct {
	A     int64     `parquet:"a,delta"`
	B     float32   `parquet:"b,split"`
	C     *float64  `parquet:"c,optional"`
	D     bool      `parquet:"d"`
	E     []float32 `parquet:"e,list"`
	F     int32     `parquet:"f,dict"`
	G     string    `parquet:"g,delta"`
	Class string    `parquet:"class,dict"`
}

func wideRows(n int) []wideRow {
	rows := make([]wideRow, n)
	for i := range rows {
		x := float64(i) / 3
		rows[i] = wideRow{int64(i * i), float32(i), &x, i%3 == 0, []float32{float32(i), 1}, int32(i % 4), fmt.Sprintf("text %d", i), string(rune('x' + i%2))}
		if i%5 == 0 {
			rows[i].C = nil
		}
	}
	return rows
}

func parquetFile[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := parquet.Write(&b, rows, options...); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var parquetCodecs = map[string]compress.Codec{"plain": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip,
	"brotli": &parquet.Brotli, "zstd": &parquet.Zstd, "lz4": &parquet.Lz4Raw}

func wideSpec(dir string) spec.Dataset {
	d := spec.Dataset{Format: "parquet", Source: dir, Train: spec.Files{File: "a"}, Target: &spec.Target{Column: "class", Type: "category"}}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		d.Features = append(d.Features, spec.Feature{Column: name, Type: "number"})
	}
	d.Features[2].Missing = "mean"
	return d
}

// Whatever a sound file is compressed with, and whatever the version of its pages, its records are the same.
func TestParquetCodecs(t *testing.T) {
	rows := wideRows(3000)
	var want [32]byte
	for name, codec := range parquetCodecs {
		for version := 1; version <= 2; version++ {
			content := parquetFile(t, rows, parquet.Compression(codec), parquet.DataPageVersion(version), parquet.PageBufferSize(2000), parquet.MaxRowsPerRowGroup(1100))
			got := opened(t, wideSpec(folder(t, map[string][]byte{"a": content})), 1).Info().Fingerprint
			if want == [32]byte{} {
				want = got
			}
			if got != want {
				t.Errorf("%s, version %d: another fingerprint", name, version)
			}
		}
	}
}

// damagedParquet is a file of one column and one page, whose header and body are changed.
func damagedParquet[T any](t testing.TB, rows []T, codec compress.Codec, version int, change func(h *format.PageHeader, body []byte) []byte) []byte {
	t.Helper()
	content := parquetFile(t, rows, parquet.Compression(codec), parquet.DataPageVersion(version))
	n := int(binary.LittleEndian.Uint32(content[len(content)-8:]))
	var m format.FileMetaData
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), content[len(content)-8-n:len(content)-8], &m); err != nil {
		t.Fatal(err)
	}
	chunk := &m.RowGroups[0].Columns[0].MetaData
	at := chunk.DataPageOffset
	h, length, err := pageHeader(content[at:])
	if err != nil {
		t.Fatal(err)
	}
	body := change(h, bytes.Clone(content[at+int64(length):at+int64(length)+int64(h.CompressedPageSize)]))
	header, err := thrift.Marshal(new(thrift.CompactProtocol), h)
	if err != nil {
		t.Fatal(err)
	}
	chunk.TotalCompressedSize = int64(len(header) + len(body))
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &m)
	if err != nil {
		t.Fatal(err)
	}
	out := slices.Concat(content[:at], header, body, footer)
	return append(binary.LittleEndian.AppendUint32(out, uint32(len(footer))), "PAR1"...)
}

type plainRow struct {
	A int64 `parquet:"a"`
}

type deltaRow struct {
	A int64 `parquet:"a,delta"`
}

type textRow struct {
	A string `parquet:"a,delta"`
}

type optionalRow struct {
	A *int64 `parquet:"a,optional"`
}

// What a page claims costs nothing, and the error says where it stands.
func TestParquetClaims(t *testing.T) {
	same := func(change func(h *format.PageHeader)) func(*format.PageHeader, []byte) []byte {
		return func(h *format.PageHeader, body []byte) []byte { change(h); return body }
	}
	plain := []plainRow{{1}, {2}, {3}}
	x := int64(1)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"compressed size": {damagedParquet(t, plain, &parquet.Uncompressed, 1, same(func(h *format.PageHeader) { h.CompressedPageSize = math.MaxInt32 })),
			`column "a", page at byte 4: it would have 2147483647 bytes, 24 are left of its column`},
		"uncompressed size": {damagedParquet(t, plain, &parquet.Snappy, 1, same(func(h *format.PageHeader) { h.UncompressedPageSize = math.MaxInt32 })),
			`column "a", page at byte 4: the pages up to here would take 2147483677 bytes`},
		"another size": {damagedParquet(t, plain, &parquet.Zstd, 1, same(func(h *format.PageHeader) { h.UncompressedPageSize = 1000 })),
			`column "a", page at byte 4: it does not decompress to the size that its header says`},
		"values": {damagedParquet(t, plain, &parquet.Uncompressed, 1, same(func(h *format.PageHeader) { h.DataPageHeader.V.NumValues = math.MaxInt32 })),
			`column "a", page at byte 4: the pages up to here would take 21474836494 bytes`},
		"two headers": {damagedParquet(t, plain, &parquet.Uncompressed, 1, same(func(h *format.PageHeader) {
			h.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: math.MaxInt32})
		})), `its header is not that of a DATA_PAGE`},
		"below zero": {damagedParquet(t, plain, &parquet.Uncompressed, 2, same(func(h *format.PageHeader) { h.DataPageHeaderV2.V.NumNulls = -1 })), `its header has a count below zero`},
		"snappy": {damagedParquet(t, plain, &parquet.Snappy, 1, func(h *format.PageHeader, _ []byte) []byte {
			h.CompressedPageSize = 5
			return binary.AppendUvarint(nil, math.MaxUint32)
		}), `it does not decompress`},
		"lz4": {damagedParquet(t, plain, &parquet.Lz4Raw, 1, func(h *format.PageHeader, body []byte) []byte {
			return bytes.Repeat([]byte{0xff}, len(body))
		}), `column "a", page at byte 4: `},
		"run": {damagedParquet(t, []optionalRow{{&x}, {nil}}, &parquet.Uncompressed, 2, func(h *format.PageHeader, body []byte) []byte {
			run := append(binary.AppendUvarint(nil, math.MaxInt32<<1), 1)
			levels := int(h.DataPageHeaderV2.V.DefinitionLevelsByteLength)
			h.DataPageHeaderV2.V.DefinitionLevelsByteLength = int32(len(run))
			body = slices.Concat(run, body[levels:])
			h.CompressedPageSize, h.UncompressedPageSize = int32(len(body)), int32(len(body))
			return body
		}), `it has a run of 2147483647 values, its header says 2`},
		"deltas": {damagedParquet(t, []deltaRow{{1}, {2}}, &parquet.Uncompressed, 1, func(h *format.PageHeader, _ []byte) []byte {
			body := []byte{0x80, 1, 4, 0xff, 0xff, 0xff, 0xff, 7, 2}
			h.CompressedPageSize, h.UncompressedPageSize = int32(len(body)), int32(len(body))
			return body
		}), `it has 2147483647 values, its header says 2`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string][]byte{"a": c.content})
			d := spec.Dataset{Format: "parquet", Source: dir, Train: spec.Files{File: "a"}}
			var err error
			used := allocated(func() { _, err = Open(t.Context(), d, 1) })
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "read train files: "+dir+"/a: ") {
				t.Errorf("error  %v\nwant   %s", err, c.want)
			}
			if used > 32<<20 {
				t.Errorf("%d bytes were taken", used)
			}
		})
	}
}

// Texts that begin like the one before them may become far more than they are.
func TestParquetPrefixes(t *testing.T) {
	const n, length = 1000, 1 << 20
	prefixes, rests := slices.Repeat([]int32{length}, n), make([]int32, n)
	prefixes[0], rests[0] = 0, length
	content := damagedParquet(t, make([]textRow, n), &parquet.Uncompressed, 1, func(h *format.PageHeader, _ []byte) []byte {
		body := make([]byte, length)
		for _, lengths := range [][]int32{rests, prefixes} {
			b, err := new(delta.BinaryPackedEncoding).EncodeInt32(nil, lengths)
			if err != nil {
				t.Fatal(err)
			}
			body = slices.Concat(b, body)
		}
		h.DataPageHeader.V.Encoding = format.DeltaByteArray
		h.CompressedPageSize, h.UncompressedPageSize = int32(len(body)), int32(len(body))
		return body
	})
	dir := folder(t, map[string][]byte{"a": content})
	d := spec.Dataset{Format: "parquet", Source: dir, Train: spec.Files{File: "a"}, Features: []spec.Feature{{Column: "a", Type: "category"}}}
	if _, err := Open(t.Context(), d, 1); err == nil || !strings.Contains(err.Error(), "looks like a bomb") {
		t.Error(err)
	}
}

// Lists and lengths in the footer are there, or cost nothing.
func TestParquetFooters(t *testing.T) {
	content := parquetFile(t, []plainRow{{1}, {2}})
	footer := func(b []byte) []byte {
		return slices.Concat(content[:40], b, binary.LittleEndian.AppendUint32(nil, uint32(len(b))), []byte("PAR1"))
	}
	long := bytes.Clone(content)
	binary.LittleEndian.PutUint32(long[len(long)-8:], math.MaxUint32)
	for name, c := range map[string]struct {
		content []byte
		want    string
	}{
		"length":  {long, "its footer would have 4294967295 bytes"},
		"list":    {footer([]byte{0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 7, 0}), "its footer: unexpected EOF"},
		"string":  {footer([]byte{0x68, 0xff, 0xff, 0xff, 0xff, 7, 0}), "its footer: unexpected EOF"},
		"deep":    {footer(bytes.Repeat([]byte{0x1c}, 1<<20)), "its footer: " + errThrift.Error()},
		"structs": {footer(slices.Concat([]byte{0x29, 0xfc, 0x80, 0x80, 0x80, 1}, make([]byte, 1<<21+1))), "this looks like a bomb"},
	} {
		t.Run(name, func(t *testing.T) {
			d := spec.Dataset{Format: "parquet", Source: folder(t, map[string][]byte{"a": c.content}), Train: spec.Files{File: "a"}}
			var err error
			used := allocated(func() { _, err = Open(t.Context(), d, 1) })
			if err == nil || !strings.Contains(err.Error(), "not a parquet file, or a truncated one: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error  %v\nwant   %s", err, c.want)
			}
			if used > 32<<20 {
				t.Errorf("%d bytes were taken", used)
			}
		})
	}
}

// allocated is how many bytes f takes.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// FuzzParquet opens anything, and bounds what is held and what is taken on the way.
func FuzzParquet(f *testing.F) {
	f.Add(parquetFile(f, []struct {
		A     []float32 `parquet:"a,list"`
		Class string    `parquet:"class"`
	}{{[]float32{1, 2}, "x"}, {[]float32{3, 4}, "y"}}))
	for _, codec := range parquetCodecs {
		for version := 1; version <= 2; version++ {
			f.Add(parquetFile(f, wideRows(9), parquet.Compression(codec), parquet.DataPageVersion(version)))
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		used := allocated(func() { fuzzTable(t, "parquet", content) })
		if used > 64<<20 {
			t.Fatalf("%d bytes were taken", used)
		}
	})
}
