package boltjournal

import (
	"bytes"
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
	end  uint64 // the first page that was never used
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
	meta := data[at+pageHeader:]
	p := &pages{data, size, order.Uint64(meta[40:]), map[uint64]bool{0: true, 1: true}}
	_, err := p.check(order.Uint64(meta[16:]), nil, nil)
	return err
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

// check checks a page and those below it, whose keys must be from least on, if that is
// not nil, and below bound. It returns the last key.
func (p *pages) check(id uint64, least, bound []byte) (last []byte, err error) {
	order := binary.NativeEndian
	if id >= p.end || id > uint64(len(p.data)) || (id+1)*p.size > uint64(len(p.data)) {
		return nil, fmt.Errorf("page %d is beyond the end of the file: the file is truncated", id)
	}
	page := p.data[id*p.size:]
	flags, count := order.Uint16(page[8:]), uint64(order.Uint16(page[10:]))
	length := (uint64(order.Uint32(page[12:])) + 1) * p.size // with the pages that belong to it
	if length > uint64(len(page)) || order.Uint64(page) != id || pageHeader+count*pageElement > length ||
		flags != leafPage && (flags != branchPage || count == 0) {
		return nil, damagedPage(id)
	}
	for i := range length / p.size {
		if p.seen[id+i] {
			return nil, fmt.Errorf("page %d is used twice", id)
		}
		p.seen[id+i] = true
	}
	last = least
	for i := range count {
		element := page[pageHeader+i*pageElement : length]
		key, value, ok := keyOf(flags, element)
		if !ok {
			return nil, damagedPage(id)
		}
		// bbolt looks for keys as if they were in order.
		if was := bytes.Compare(last, key); was > 0 || was == 0 && i > 0 || bound != nil && bytes.Compare(key, bound) >= 0 {
			return nil, fmt.Errorf("page %d has its keys in another order", id)
		}
		last = key
		switch {
		case flags == branchPage:
			next := bound
			if i+1 < count {
				if next, _, ok = keyOf(flags, page[pageHeader+(i+1)*pageElement:length]); !ok {
					return nil, damagedPage(id)
				}
			}
			last, err = p.check(order.Uint64(element[8:]), key, next)
		case order.Uint32(element)&bucketLeaf != 0:
			err = p.checkBucket(id, element[value:], uint64(order.Uint32(element[12:])))
		case value+uint64(order.Uint32(element[12:])) > uint64(len(element)):
			err = damagedPage(id)
		}
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

func damagedPage(id uint64) error { return fmt.Errorf("page %d is damaged", id) }

// keyOf returns the key of an element, and where it ends.
func keyOf(flags uint16, element []byte) (key []byte, end uint64, ok bool) {
	place := element
	if flags == leafPage {
		place = element[4:]
	}
	begin := uint64(binary.NativeEndian.Uint32(place))
	end = begin + uint64(binary.NativeEndian.Uint32(place[4:]))
	if end > uint64(len(element)) {
		return nil, 0, false
	}
	return element[begin:end], end, true
}

// checkBucket checks a bucket of so many bytes, which is the value of an element.
func (p *pages) checkBucket(id uint64, value []byte, length uint64) error {
	if length < bucketHeader || length > uint64(len(value)) {
		return damagedPage(id)
	}
	// A small bucket is stored in the element itself, and has no page of its own.
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		_, err := p.check(root, nil, nil)
		return err
	}
	if err := checkInline(value[bucketHeader:length]); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
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
