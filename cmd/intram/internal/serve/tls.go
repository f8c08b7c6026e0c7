package serve

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const certificateLife = 365 * 24 * time.Hour

// certificate is the certificate for a host and its key, from a directory. It makes new
// ones when there are none, when they end within a month, or when they are of other
// hosts; else they stay, so that who has trusted them once need not do so again.
func certificate(dir, host string) (cert tls.Certificate, certFile string, err error) {
	certFile, keyFile := filepath.Join(dir, "localhost.pem"), filepath.Join(dir, "localhost-key.pem")
	cert, err = tls.LoadX509KeyPair(certFile, keyFile)
	if err == nil && cert.Leaf != nil && cert.Leaf.VerifyHostname(host) == nil && cert.Leaf.NotAfter.After(now().Add(30*24*time.Hour)) {
		return cert, certFile, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return cert, "", fmt.Errorf("--tls: %w", err)
	}
	certPEM, keyPEM, err := newCertificate(host)
	if err == nil {
		err = writeFile(keyFile, keyPEM)
	}
	if err == nil {
		err = writeFile(certFile, certPEM)
	}
	if err != nil {
		return cert, "", fmt.Errorf("--tls: %w", err)
	}
	cert, err = tls.X509KeyPair(certPEM, keyPEM)
	return cert, certFile, err
}

// newCertificate signs itself: it is its own authority, for the loopback and one host.
func newCertificate(host string) (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	serial, err := serialNumber()
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "intram serve", Organization: []string{"for this machine only"}},
		NotBefore: now().Add(-time.Hour), NotAfter: now().Add(certificateLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, IsCA: true, MaxPathLenZero: true,
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	if ip := net.ParseIP(host); ip == nil && host != "localhost" {
		template.DNSNames = append(template.DNSNames, host)
	} else if ip != nil && !ip.IsLoopback() {
		template.IPAddresses = append(template.IPAddresses, ip)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), nil
}
