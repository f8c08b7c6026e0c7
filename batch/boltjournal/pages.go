package boltjournal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"

	bolt "go.etcd.io/bbolt"
)

// The parts of bbolt's file format that are checked before bbolt reads a journal. bbolt
// trusts its file: a page number beyond the end is a memory fault, and a damaged page is
// a panic in another goroutine. Neither can be reported to the user.
const (
	pageHeader   = 16
	pageElement  = 16
	bucketHeader = 16
	metaSize     = 64

	branchPage = 0x01
	leafPage   = 0x02
	bucketLeaf = 0x01 // of an element of a leaf

	boltMagic   = 0xED0CDAED
	boltVersion = 2
)

// checkJournal returns an error for a file that cannot be a journal. A missing file is
// fine.
func checkJournal(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("boltjournal: the journal cannot be opened: %w", err)
	}
	if info.Size() == 0 {
		return damaged(path, errors.New("it is empty"))
	}
	// The lock is shared: no other process writes while the pages are read.
	db, err := openBolt(path, &bolt.Options{Timeout: lockWait, ReadOnly: true})
	if err != nil {
		return err
	}
	data, err := os.ReadFile(path) //nolint:gosec // the journal of the user's own file
	if err == nil {
		if err = checkPages(data); err != nil {
			err = damaged(path, err)
		}
	}
	return errors.Join(err, db.Close())
}

// pages is a bbolt file under check.
type pages struct {
	data []byte
	size uint64
	seen map[uint64]bool
}

// checkPages checks every page that can be reached from the newest header.
func checkPages(data []byte) error {
	order := binary.NativeEndian // bbolt writes in the byte order of the machine
	newest, at := uint64(0), -1
	var size uint64
	for _, offset := range metaOffsets(data) {
		meta := data[offset+pageHeader : offset+pageHeader+metaSize]
		sum := fnv.New64a()
		_, _ = sum.Write(meta[:metaSize-8])
		if order.Uint32(meta) != boltMagic || order.Uint32(meta[4:]) != boltVersion || order.Uint64(meta[56:]) != sum.Sum64() {
			continue
		}
		if id := order.Uint64(meta[48:]); at < 0 || id > newest {
			newest, at, size = id, offset, uint64(order.Uint32(meta[8:]))
		}
	}
	if at < 0 || size < pageHeader+metaSize {
		return errors.New("it has no header")
	}
	p := &pages{data, size, map[uint64]bool{0: true, 1: true}}
	return p.check(order.Uint64(data[at+pageHeader+16:]))
}

// metaOffsets returns where the two headers can be. The second is on the second page,
// whose size is in the first.
func metaOffsets(data []byte) []int {
	var offsets []int
	for _, size := range []int{0, 1 << 10, 1 << 11, 1 << 12, 1 << 13, 1 << 14, 1 << 15, 1 << 16} {
		if size+pageHeader+metaSize <= len(data) {
			offsets = append(offsets, size)
		}
	}
	return offsets
}

// check checks a page and those below it.
func (p *pages) check(id uint64) error {
	order := binary.NativeEndian
	if id > uint64(len(p.data)) || (id+1)*p.size > uint64(len(p.data)) {
		return fmt.Errorf("page %d is beyond the end of the file: the file is truncated", id)
	}
	page := p.data[id*p.size:]
	flags, count := order.Uint16(page[8:]), uint64(order.Uint16(page[10:]))
	length := (uint64(order.Uint32(page[12:])) + 1) * p.size // with the pages that belong to it
	if length > uint64(len(page)) || order.Uint64(page) != id || pageHeader+count*pageElement > length ||
		flags != leafPage && (flags != branchPage || count == 0) {
		return fmt.Errorf("page %d is damaged", id)
	}
	for i := range length / p.size {
		if p.seen[id+i] {
			return fmt.Errorf("page %d is used twice", id)
		}
		p.seen[id+i] = true
	}
	for i := range count {
		begin := pageHeader + i*pageElement
		element := page[begin:length]
		if flags == branchPage {
			if uint64(order.Uint32(element))+uint64(order.Uint32(element[4:])) > uint64(len(element)) {
				return fmt.Errorf("page %d is damaged", id)
			}
			if err := p.check(order.Uint64(element[8:])); err != nil {
				return err
			}
			continue
		}
		value := uint64(order.Uint32(element[4:])) + uint64(order.Uint32(element[8:]))
		end := value + uint64(order.Uint32(element[12:]))
		if end > uint64(len(element)) {
			return fmt.Errorf("page %d is damaged", id)
		}
		if order.Uint32(element)&bucketLeaf == 0 {
			continue
		}
		if end-value < bucketHeader {
			return fmt.Errorf("page %d is damaged", id)
		}
		// A small bucket is stored in the element itself, and has no page of its own.
		if root := order.Uint64(element[value:]); root != 0 {
			if err := p.check(root); err != nil {
				return err
			}
		} else if err := checkInline(element[value+bucketHeader : end]); err != nil {
			return fmt.Errorf("page %d: %w", id, err)
		}
	}
	return nil
}

// checkInline checks the page of a bucket that is stored inside another page.
func checkInline(page []byte) error {
	order := binary.NativeEndian
	if len(page) < pageHeader || order.Uint16(page[8:]) != leafPage {
		return errors.New("a small bucket is damaged")
	}
	count := uint64(order.Uint16(page[10:]))
	for i := range count {
		begin := pageHeader + i*pageElement
		if begin+pageElement > uint64(len(page)) {
			return errors.New("a small bucket is damaged")
		}
		element := page[begin:]
		end := uint64(order.Uint32(element[4:])) + uint64(order.Uint32(element[8:])) + uint64(order.Uint32(element[12:]))
		if end > uint64(len(element)) || order.Uint32(element)&bucketLeaf != 0 {
			return errors.New("a small bucket is damaged")
		}
	}
	return nil
}
