package ckpt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

const (
	// lockTimeout is how long Open waits for another process to let go of the file.
	lockTimeout = 5 * time.Second
	// mapSize is mapped ahead of the file: growing the map would wait for all readers. It costs address space only.
	mapSize = 16 << 30
	// allocSize is the step in which the file's length grows. The growth is a hole until it is written, so that it does
	// not fill the disk by itself. bbolt writes with pwrite, whose error for a full disk is one; the map is for reading,
	// and a hole is never read.
	allocSize = 8 << 20
	// pageSize is the same on every machine, so that a file can move.
	pageSize = 4 << 10
)

// openDB opens the file at path, with its buckets, or creates it; a new file is durable when it returns. Damage of the
// index gives ErrCorrupt.
func openDB(path string) (*bbolt.DB, error) {
	if err := checkIndex(path); err != nil {
		return nil, err
	}
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	db.AllocSize = allocSize
	if err := errors.Join(makeBuckets(db), syncDir(path)); err != nil {
		return nil, errors.Join(spaceError(err), db.Close())
	}
	return db, nil
}

// makeBuckets writes only to a new file: a full disk must not keep a store from being opened.
func makeBuckets(db *bbolt.DB) error {
	exist := false
	err := db.View(func(tx *bbolt.Tx) error {
		exist = tx.Bucket(chunksBucket) != nil
		return nil
	})
	if exist || err != nil {
		return err
	}
	return db.Update(func(tx *bbolt.Tx) error {
		_, err1 := tx.CreateBucket(chunksBucket)
		_, err2 := tx.CreateBucket(quarantineBucket)
		return errors.Join(err1, err2)
	})
}

// open is bbolt.Open with the options of a store, under guard.
func open(path string) (db *bbolt.DB, err error) {
	var file *os.File
	opts := &bbolt.Options{
		Timeout:         lockTimeout,
		NoFreelistSync:  true,
		FreelistType:    bbolt.FreelistMapType,
		PageSize:        pageSize,
		InitialMmapSize: mapSize,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			file, err = os.OpenFile(name, flag, mode)
			return file, err
		},
	}
	panicked := true
	err = guard(func() (err error) {
		db, err = bbolt.Open(path, 0o600, opts)
		panicked = false
		return err
	})
	if panicked && file != nil { // bbolt left it open, with its lock
		return nil, errors.Join(err, file.Close())
	}
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("lock %s, which another process holds: %w", path, err)
	}
	for _, e := range []error{berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrVersionMismatch} {
		if errors.Is(err, e) {
			return nil, corrupt("%v", err)
		}
	}
	return db, spaceError(err)
}

// syncDir makes the entry of path in its directory durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// build creates a store's file at path with what fill puts into it, durable as a whole at the end. On an error there is
// no file.
func build(path string, fill func(db *bbolt.DB) error) error {
	if err := removeFile(path); err != nil {
		return err
	}
	db, err := openDB(path)
	if err != nil {
		return errors.Join(err, removeFile(path))
	}
	db.NoSync, db.NoGrowSync = true, true
	err = fill(db)
	if err == nil {
		err = db.Sync()
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(spaceError(err), removeFile(path))
	}
	if err := syncDir(path); err != nil {
		return fmt.Errorf("sync directory of %s: %w", path, err)
	}
	return nil
}
