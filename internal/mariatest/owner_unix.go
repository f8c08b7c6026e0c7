//go:build unix

package mariatest

import (
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// chooseOwner gives the server's folder to the user mysql if the test runs as root.
func (m *Server) chooseOwner() error {
	m.owner = &syscall.SysProcAttr{}
	if os.Geteuid() != 0 {
		return nil
	}
	owner, err := user.Lookup("mysql")
	if err != nil {
		return err
	}
	uid, err := strconv.ParseUint(owner.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(owner.Gid, 10, 32)
	if err != nil {
		return err
	}
	m.owner.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(m.dir, int(uid), int(gid))
}
