package ckpt

import (
	"errors"
	"io"
	"os"
)

// checkIndex returns ErrCorrupt if the file at path exists and its index is not sound: every page that leads to a chunk,
// but not the chunks' bytes. bbolt trusts its pages, and reads the same ones when it opens a file, on a goroutine whose
// panics nobody can recover; a page that leads back to itself would keep it there for ever.
func checkIndex(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	if info.Size() < 4*pageSize {
		return corrupt("%s has %d bytes, a chunk store has more", path, info.Size())
	}
	m, err := newestMeta(f)
	if err != nil {
		return err
	}
	if m.end > uint64(info.Size()/pageSize) {
		return corrupt("%s ends at page %d of %d", path, info.Size()/pageSize, m.end)
	}
	x := &index{r: f, end: m.end, seen: make([]uint64, m.end/64+1)}
	if m.tx <= 1 {
		return nil // a crash came between the making of the file and that of its buckets: nothing is in it
	}
	return x.checkTop(m.root)
}

// newestMeta returns the meta that bbolt will use.
func newestMeta(r io.ReaderAt) (newest meta, err error) {
	var valid bool
	for i := range int64(2) {
		p := make(page, pageHeader+metaSize)
		if _, err := r.ReadAt(p, i*pageSize); err != nil {
			return meta{}, err
		}
		if m, ok := p.meta(); ok && (!valid || m.tx > newest.tx) {
			newest, valid = m, true
		}
	}
	if !valid {
		return meta{}, corrupt("both meta pages")
	}
	return newest, nil
}

// index walks over the pages of a file.
type index struct {
	r    io.ReaderAt
	end  uint64   // the first page that is not used
	seen []uint64 // a bit for each page: in the tree already
}

// visitor is called for every element of a tree, with its page.
type visitor func(p page, e element) error

// checkTop checks that the root has the two buckets of a store.
func (x *index) checkTop(root uint64) error {
	names := ""
	err := x.tree(root, keys{}, func(p page, e element) error {
		names += e.key + " "
		switch e.key {
		case string(chunksBucket):
			return x.bucket(p, e, x.checkChunk)
		case string(quarantineBucket):
			return x.bucket(p, e, x.checkQuarantined)
		}
		return nil
	})
	if want := string(chunksBucket) + " " + string(quarantineBucket) + " "; err == nil && names != want {
		return corrupt("buckets %q", names)
	}
	return err
}

// checkChunk checks chunks/<hash>, which has one value.
func (x *index) checkChunk(p page, e element) error {
	if len(e.key) != len(Hash{}) {
		return corrupt("chunk with a key of %d bytes", len(e.key))
	}
	n := 0
	err := x.bucket(p, e, func(_ page, e element) error {
		if n++; n > 1 || e.bucket || e.key != string(dataKey) {
			return corrupt("chunk with the entry %q", e.key)
		}
		return nil
	})
	if err == nil && n == 0 {
		return corrupt("chunk without bytes")
	}
	return err
}

// checkQuarantined checks quarantine/<seq>, which has values and at most one chunk.
func (x *index) checkQuarantined(p page, e element) error {
	return x.bucket(p, e, func(p page, e element) error {
		if e.bucket {
			return x.checkChunk(p, e)
		}
		return nil
	})
}

// bucket visits the elements of bucket e, which stands in p.
func (x *index) bucket(p page, e element, visit visitor) error {
	root, inline, ok := p.bucketOf(e)
	switch {
	case !ok:
		return corrupt("%q is not a bucket", e.key)
	case root != 0:
		return x.tree(root, keys{}, visit)
	case inline.kind() != leafPage:
		return corrupt("inline page of kind %d", inline.kind())
	default:
		return x.leaf(inline, int64(len(inline)), keys{}, visit)
	}
}

// keys is what the keys of a page must be like.
type keys struct {
	first *string // the first one, if not nil: a branch has the first key of each child, and bbolt finds it by that
	above *string // all are greater, if not nil
	below *string // all are less, if not nil
}

func (k keys) has(i int, key string) bool {
	return (i > 0 || k.first == nil || key == *k.first) && (k.above == nil || key > *k.above) &&
		(k.below == nil || key < *k.below)
}

// tree visits the elements under page id, whose keys are in a range.
func (x *index) tree(id uint64, within keys, visit visitor) error {
	p, err := x.page(id)
	if err != nil {
		return err
	}
	if p.kind() == leafPage {
		return x.leaf(p, (p.overflow()+1)*pageSize, within, visit)
	}
	if p.count() == 0 {
		return corrupt("branch page %d is empty", id)
	}
	start := elementsEnd(p)
	for i := range p.count() {
		e, ok := p.branch(i)
		if !ok || e.start != start || !within.has(i, e.key) {
			return corrupt("element %d of branch page %d", i, id)
		}
		inner := keys{first: &e.key, below: within.below}
		if next, ok := p.branch(i + 1); ok && i+1 < p.count() {
			inner.below = &next.key
		}
		if err := x.tree(e.child, inner, visit); err != nil {
			return err
		}
		start, within.above = e.end(), &e.key
	}
	return nil
}

// leaf visits the elements of a leaf page that has size bytes.
func (x *index) leaf(p page, size int64, within keys, visit visitor) error {
	start := elementsEnd(p)
	for i := range p.count() {
		e, ok := p.leaf(i)
		if !ok || e.start != start || e.end() > size || !within.has(i, e.key) {
			return corrupt("element %d of leaf page %d", i, p.id())
		}
		if err := visit(p, e); err != nil {
			return err
		}
		start, within.above = e.end(), &e.key
	}
	return nil
}

// elementsEnd returns where the first key must begin, which a wrong count does not fit.
func elementsEnd(p page) int64 { return pageHeader + elementSize*int64(p.count()) }

// page reads page id: with one element its first bytes, which hold the key, with several all of it. No page may be
// reached twice.
func (x *index) page(id uint64) (page, error) {
	p := make(page, pageSize)
	if id >= x.end {
		return nil, corrupt("page %d is out of range", id)
	}
	if _, err := x.r.ReadAt(p, int64(id)*pageSize); err != nil {
		return nil, err
	}
	pages := uint64(p.overflow()) + 1
	if p.id() != id || p.kind() != leafPage && p.kind() != branchPage || pages > x.end-id || pages > 2*MaxChunk/pageSize {
		return nil, corrupt("page %d: header %x", id, []byte(p[:pageHeader]))
	}
	for i := id; i < id+pages; i++ {
		bit := uint64(1) << (i % 64)
		if x.seen[i/64]&bit != 0 {
			return nil, corrupt("page %d belongs to two", i)
		}
		x.seen[i/64] |= bit
	}
	if p.count() > 1 && pages > 1 {
		p = make(page, pages*pageSize)
		if _, err := x.r.ReadAt(p, int64(id)*pageSize); err != nil {
			return nil, err
		}
	}
	return p, nil
}
