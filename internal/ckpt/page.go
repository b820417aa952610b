package ckpt

import (
	"encoding/binary"
	"hash/fnv"
)

// The layout of bbolt's pages, as far as the checking and the salvage of a file need it; in the byte order of the
// machine, as bbolt has it.
//
//	page:     id u64 | kind u16 | count u16 | overflow pages u32 | count x element | keys and values
//	leaf:     flags u32 | key's offset from the element u32 | key length u32 | value length u32
//	branch:   key's offset from the element u32 | key length u32 | child page u64
//	a bucket as a value: root page u64 | sequence u64 | if root is 0: its page, inline
//	meta:     a page's header, then magic u32 | version u32 | page size u32 | flags u32 | root u64 | sequence u64
//	          | freelist u64 | end page u64 | transaction u64 | FNV-1a of what comes before u64
const (
	pageHeader   = 16
	elementSize  = 16
	bucketHeader = 16

	branchPage    = 0x01
	leafPage      = 0x02
	bucketElement = 0x01

	metaSize    = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2
)

// page is the first bytes of a page: all of them, or those that hold its elements and keys.
type page []byte

func (p page) id() uint64      { return binary.NativeEndian.Uint64(p) }
func (p page) kind() uint16    { return binary.NativeEndian.Uint16(p[8:]) }
func (p page) count() int      { return int(binary.NativeEndian.Uint16(p[10:])) }
func (p page) overflow() int64 { return int64(binary.NativeEndian.Uint32(p[12:])) }

// word returns the 32-bit word k of element i; ok is false outside the page.
func (p page) word(i, k int) (w int64, ok bool) {
	at := pageHeader + i*elementSize + 4*k
	if at+4 > len(p) {
		return 0, false
	}
	return int64(binary.NativeEndian.Uint32(p[at:])), true
}

// element is one entry of a leaf or branch page. Offsets are from the page's start.
type element struct {
	key   string
	start int64 // offset of the key
	value int64 // offset of the value, and of what follows the key in a branch page
	size  int64 // length of the value; 0 in a branch page

	bucket bool   // leaf: the value is a bucket
	child  uint64 // branch: page
}

// end returns the offset of what follows e. bbolt packs keys and values without gaps.
func (e element) end() int64 { return e.value + e.size }

// fill reads the key of element i, n bytes at offset off from the element; ok is false outside the page.
func (p page) fill(e *element, i int, off, n int64) (ok bool) {
	e.start = pageHeader + int64(i)*elementSize + off
	e.value = e.start + n
	if e.value > int64(len(p)) {
		return false
	}
	e.key = string(p[e.start:e.value])
	return true
}

// leaf returns element i of a leaf page; ok is false if it is not inside the page or larger than any of a store.
func (p page) leaf(i int) (e element, ok bool) {
	size, ok := p.word(i, 3)
	if !ok || size > MaxChunk {
		return element{}, false
	}
	flags, _ := p.word(i, 0)
	off, _ := p.word(i, 1)
	n, _ := p.word(i, 2)
	e = element{bucket: flags == bucketElement, size: size}
	return e, p.fill(&e, i, off, n) && (flags == 0 || e.bucket)
}

// branch returns element i of a branch page.
func (p page) branch(i int) (e element, ok bool) {
	if _, ok := p.word(i, 3); !ok {
		return element{}, false
	}
	off, _ := p.word(i, 0)
	n, _ := p.word(i, 1)
	e.child = binary.NativeEndian.Uint64(p[pageHeader+i*elementSize+8:])
	return e, p.fill(&e, i, off, n)
}

// bucketOf returns what a bucket element of p refers to: the root page, or for root 0 the page inside the value.
func (p page) bucketOf(e element) (root uint64, inline page, ok bool) {
	if !e.bucket || e.size < bucketHeader || e.end() > int64(len(p)) {
		return 0, nil, false
	}
	root = binary.NativeEndian.Uint64(p[e.value:])
	inline = p[e.value+bucketHeader : e.end()]
	return root, inline, root != 0 || len(inline) >= pageHeader
}

// meta is what a meta page says.
type meta struct {
	root, end, tx uint64 // root page, the first page that is not used, transaction
}

// meta reads a meta page; ok is false if it is not valid, for a store.
func (p page) meta() (m meta, ok bool) {
	ne := binary.NativeEndian
	b := p[pageHeader:]
	sum := fnv.New64a()
	sum.Write(b[:metaSize-8])
	ok = ne.Uint32(b) == metaMagic && ne.Uint32(b[4:]) == metaVersion && ne.Uint32(b[8:]) == pageSize &&
		ne.Uint64(b[metaSize-8:]) == sum.Sum64()
	return meta{root: ne.Uint64(b[16:]), end: ne.Uint64(b[40:]), tx: ne.Uint64(b[48:])}, ok
}
