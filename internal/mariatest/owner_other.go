//go:build !unix

package mariatest

// chooseOwner refuses: a server on a socket that a signal crashes needs a Unix system.
func (*Server) chooseOwner() error { return ErrMissing }
