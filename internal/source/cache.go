package source

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"
)

// Key names a block in a cache.
type Key = [sha256.Size]byte

// Cache keeps blocks of files that lie elsewhere in a folder, the least recently used ones only as long as all together
// are under a bound. A file of the folder is
//
//	| SHA-256 of the data, 32 bytes | data |
//
// so that one that a crash or a disk has damaged is never taken for good: it counts as missing. A nil *Cache keeps
// nothing. It is safe for concurrent use, also by several processes on one folder, each of which counts for itself.
type Cache struct {
	dir   string
	bound int64
	log   *slog.Logger

	mu      sync.Mutex
	size    int64
	entries map[Key]*list.Element // of order
	order   *list.List            // of *entry, the least recently used first
}

type entry struct {
	key  Key
	size int64
}

// OpenCache opens the cache in a folder, and makes that if it is missing. bound is in bytes.
func OpenCache(dir string, bound int64, log *slog.Logger) (*Cache, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	c := &Cache{dir: dir, bound: bound, log: log, entries: map[Key]*list.Element{}, order: list.New()}
	if err := c.scan(); err != nil {
		return nil, fmt.Errorf("open cache: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.evict()
	return c, nil
}

// scan finds what is there, and removes what a crash has left half-written.
func (c *Cache) scan() error {
	list, err := os.ReadDir(c.dir)
	if err != nil {
		return err
	}
	type found struct {
		entry
		used time.Time
	}
	var all []found
	for _, e := range list {
		info, err := e.Info()
		if err != nil {
			continue // it has just gone
		}
		var k Key
		if n, err := hex.Decode(k[:], []byte(e.Name()[:min(len(e.Name()), 2*len(k))])); err != nil || n != len(k) || len(e.Name()) != 2*len(k) {
			if time.Since(info.ModTime()) > time.Hour { // else another process may be writing it
				os.Remove(filepath.Join(c.dir, e.Name()))
			}
			continue
		}
		all = append(all, found{entry{k, info.Size()}, info.ModTime()})
	}
	slices.SortFunc(all, func(a, b found) int { return a.used.Compare(b.used) })
	for _, f := range all {
		c.add(f.key, f.size)
	}
	return nil
}

func (c *Cache) path(k Key) string { return filepath.Join(c.dir, hex.EncodeToString(k[:])) }

// Get returns a block, verified; nil if it is not there, or not good.
func (c *Cache) Get(k Key) []byte {
	if c == nil {
		return nil
	}
	b, err := os.ReadFile(c.path(k))
	if err != nil {
		c.forget(k)
		return nil
	}
	data := b[min(len(b), len(Key{})):]
	if len(b) < len(Key{}) || sha256.Sum256(data) != Key(b[:len(Key{})]) {
		c.log.Warn("a cached block is damaged, and fetched again", "file", c.path(k))
		os.Remove(c.path(k))
		c.forget(k)
		return nil
	}
	now := time.Now()
	_ = os.Chtimes(c.path(k), now, now) // without it, it is only forgotten earlier
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, int64(len(b)))
	return data
}

// Put keeps a block. That it cannot be kept hurts nobody: it is told to the log.
func (c *Cache) Put(k Key, data []byte) {
	if c == nil {
		return
	}
	if err := c.write(k, data); err != nil {
		c.log.Warn("a block was not cached", "error", err)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(k, int64(len(data)+len(Key{})))
	c.evict()
}

// write does not wait for the disk: a torn file is found when it is read.
func (c *Cache) write(k Key, data []byte) error {
	f, err := os.CreateTemp(c.dir, "new-*")
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	_, err = f.Write(sum[:])
	if err == nil {
		_, err = f.Write(data)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), c.path(k))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// add makes a block the one used last. REQUIRES: c.mu, or that nobody else has c.
func (c *Cache) add(k Key, size int64) {
	if e := c.entries[k]; e != nil {
		c.order.MoveToBack(e)
		return
	}
	c.entries[k] = c.order.PushBack(&entry{k, size})
	c.size += size
}

func (c *Cache) forget(k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(k)
}

func (c *Cache) drop(k Key) {
	if e := c.entries[k]; e != nil {
		c.size -= e.Value.(*entry).size
		c.order.Remove(e)
		delete(c.entries, k)
	}
}

// evict removes the blocks used least recently until the rest is under the bound. REQUIRES: c.mu
func (c *Cache) evict() {
	for c.size > c.bound && c.order.Len() > 0 {
		k := c.order.Front().Value.(*entry).key
		if err := os.Remove(c.path(k)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			c.log.Warn("a cached block was not removed", "error", err)
		}
		c.drop(k)
	}
}
