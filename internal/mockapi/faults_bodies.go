package mockapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// streamedBody is the body of a response that comes late or not whole.
type streamedBody struct {
	// length is what Content-Length announces; -1 announces nothing.
	length int64
	// sent is how much of the response is sent, for the journal; lost says that the
	// connection is closed after it.
	sent int
	lost bool
	// open begins to send, until ctx ends. A reader that ends with another error than EOF
	// cuts the connection.
	open func(ctx context.Context) io.Reader
}

// readerFunc is a reader made of a function.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// truncated returns half of a body whose whole length was announced.
func truncated(body []byte) *streamedBody {
	half := len(body) / 2
	return &streamedBody{length: int64(len(body)), sent: half, lost: true, open: func(context.Context) io.Reader {
		return io.MultiReader(bytes.NewReader(body[:half]), readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }))
	}}
}

// tricklePieces is the number of pieces of a slow body.
const tricklePieces = 8

// trickling returns a body in pieces, each of which takes its share of delay.
func trickling(clock *Clock, delay time.Duration, body []byte) *streamedBody {
	return &streamedBody{length: int64(len(body)), sent: len(body), open: func(ctx context.Context) io.Reader {
		rest, piece := body, len(body)/tricklePieces+1
		waited := 0
		return readerFunc(func(p []byte) (int, error) {
			if len(rest) == 0 {
				return 0, io.EOF
			}
			if len(body)-len(rest) == waited {
				if err := clock.Sleep(ctx, delay/tricklePieces); err != nil {
					return 0, err
				}
				waited += min(piece, len(rest))
			}
			n := copy(p, rest[:waited-(len(body)-len(rest))])
			rest = rest[n:]
			return n, nil
		})
	}}
}

// blank is what an oversized body is made of.
var blank = strings.Repeat(" ", 32<<10)

// oversized returns a body after white space, which JSON allows: a client that reads far
// enough finds the response.
func oversized(size int64, body []byte) *streamedBody {
	spaces := readerFunc(func(p []byte) (int, error) { return copy(p, blank), nil })
	return &streamedBody{length: -1, sent: len(body), open: func(context.Context) io.Reader {
		return io.MultiReader(io.LimitReader(spaces, size), bytes.NewReader(body))
	}}
}

// writeStreamed sends a response piece by piece. The in-process transport passes the
// pieces on by itself.
func writeStreamed(w http.ResponseWriter, r *http.Request, status int, body *streamedBody) {
	if body.length >= 0 {
		w.Header()["Content-Length"] = []string{strconv.FormatInt(body.length, 10)}
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	if t, ok := w.(interface{ stream(body *streamedBody) }); ok {
		t.stream(body)
		return
	}
	from, flusher := body.open(r.Context()), http.NewResponseController(w)
	room := make([]byte, 32<<10)
	for {
		n, err := from.Read(room)
		if n > 0 {
			if _, err := w.Write(room[:n]); err != nil {
				return // the client has left
			}
			_ = flusher.Flush()
		}
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			cutConnection(w, cutSilently)
			return
		}
	}
}

func seconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }
