package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

// requestRate sends each row of requests over a keep-alive connection of its own, as
// cheaply as can be, and returns requests a second. Every response must have the status
// that is wanted.
func requestRate(ctx context.Context, address string, rows [][][]byte, status string) (float64, error) {
	failures := make([]error, len(rows))
	var wg sync.WaitGroup
	n := 0
	began := time.Now()
	for i, row := range rows {
		n += len(row)
		wg.Go(func() { failures[i] = converse(ctx, address, row, status) })
	}
	wg.Wait()
	elapsed := time.Since(began)
	return float64(n) / elapsed.Seconds(), errors.Join(failures...)
}

// converse sends requests on one connection and reads the responses, without making
// anything of them.
func converse(ctx context.Context, address string, requests [][]byte, status string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	r := bufio.NewReaderSize(conn, 16<<10)
	for _, request := range requests {
		if _, err := conn.Write(request); err != nil {
			return err
		}
		if err := skipAnswer(r, status); err != nil {
			return err
		}
	}
	return nil
}

func skipAnswer(r *bufio.Reader, status string) error {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.Contains(line, []byte(status)) {
		return fmt.Errorf("responded with %q", line)
	}
	length, chunked := 0, false
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		if len(line) <= 2 {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
		chunked = chunked || bytes.HasPrefix(line, []byte("Transfer-Encoding: chunked"))
	}
	if !chunked {
		_, err = r.Discard(length)
		return err
	}
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 32)
		if err != nil {
			return err
		}
		if _, err := r.Discard(int(size) + len("\r\n")); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}
