package inboxtest

import (
	"context"
	"net"
	"sync/atomic"
	"syscall"
)

// DialLosing dials connections that lose as many responses as losing says: a response has
// been read, and its reader gets the error of a failed connection.
func DialLosing(losing *atomic.Int32) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &losingConn{Conn: conn, losing: losing}, nil
	}
}

type losingConn struct {
	net.Conn
	losing *atomic.Int32
	broken atomic.Bool
}

// Read implements net.Conn.
func (c *losingConn) Read(p []byte) (int, error) {
	if c.broken.Load() {
		return 0, c.reset()
	}
	n, err := c.Conn.Read(p)
	if err == nil && c.losing.Add(-1) >= 0 {
		c.broken.Store(true)
		return 0, c.reset()
	}
	return n, err
}

// reset is the error of a connection of package net: a driver may know it by its type.
func (c *losingConn) reset() error {
	return &net.OpError{Op: "read", Net: c.LocalAddr().Network(), Addr: c.RemoteAddr(), Err: syscall.ECONNRESET}
}
