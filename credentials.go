package intram

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/intram/intram-go/internal/credential"
	"github.com/intram/intram-go/internal/redact"
	"github.com/intram/intram-go/internal/renewal"
	"github.com/intram/intram-go/internal/transport"
)

// Credentials are the keys of one merchant in one environment, as the function of
// [WithCredentials] returns them. They print no key in any format, JSON included.
type Credentials struct {
	// Account names the merchant and the environment, such as "acme/live": any text that
	// stays the same when the keys change. Keep it beside the keys, and return what was
	// kept: a client refuses keys of another Account. The API keeps idempotency keys for
	// each merchant, so a payout that is sent again with another merchant's keys is paid
	// twice.
	Account string
	// PublicKey (pk_…) is sent with each call, and SecretKey (sk_…) signs.
	PublicKey, SecretKey string
	// Version names these keys in logs and errors, such as the secret store's version. It
	// is optional. Keys are compared by themselves.
	Version string
}

// shown returns what is printed: the account and the version, never a key.
func (c Credentials) shown() string {
	text := "intram.Credentials(" + redact.Text(c.Account)
	if c.Version != "" {
		text += " version " + redact.Text(c.Version)
	}
	return text + ")"
}

// MarshalText implements [encoding.TextMarshaler], and so covers JSON: what Format
// prints.
func (c Credentials) MarshalText() ([]byte, error) { return []byte(c.shown()), nil }

// ErrCredentials is behind the error of a client whose function of [WithCredentials]
// failed, or returned keys that it cannot use.
var ErrCredentials = redact.Sentinel("intram: WithCredentials: the function returned no usable keys")

// WithCredentials takes the keys from a function, for keys that change while the program
// runs. Give no others:
//
//	client, err := intram.NewClient("", "", intram.WithCredentials(fromVault))
//
// NewClient calls the function once, for [WithTimeout] at most: the environment and the
// account are those of the first keys. A call that the API refuses with 401
// invalid_api_key or signature_mismatch asks the function again, once, and is sent again
// with the keys that it returns, at once, at the cost of neither an attempt nor retry
// budget. The calls that are refused at the same moment ask together. If the keys are the
// same, or the function fails or returns those of another account or environment, the
// refusal stands, says why, and the client keeps the keys that it has.
//
// A call of which an attempt, or an earlier call with its idempotency key, may have been
// executed is not sent again under another public key by itself. Its outcome is
// [OutcomeUnknown]. [PayoutsService.Resume] looks for the operation first.
//
// The function is called in a goroutine of its own, with a context that ends after
// [WithTimeout]; a call waits for it no longer than its own context lasts. A panic in it
// is an error.
//
// Errors of NewClient: [ErrCredentials], and with it the function's own.
// Docs: Merchant API, Authentication.
func WithCredentials(credentials func(ctx context.Context) (Credentials, error)) ClientOption {
	return credentialsOption(credentials)
}

type credentialsOption func(context.Context) (Credentials, error)

func (f credentialsOption) applyClient(cfg *clientConfig) error {
	if f == nil {
		return errors.New("WithCredentials: the function is nil")
	}
	cfg.credentials = f
	return nil
}

// SuppliesKeys marks the option for package intramtest, whose clients have keys
// otherwise.
func (credentialsOption) SuppliesKeys() {}

// keyring holds the keys of a client, fixed or from a function.
type keyring struct {
	fixed  *signer
	source *renewal.Source[signer] // nil for fixed keys

	account     string // Credentials.Account, empty for fixed keys
	environment Environment

	mu sync.Mutex
	// earlier are hashes of the public keys that the client had: see owns.
	earlier []string
}

// maxEarlierKeys is how many public keys a client remembers.
const maxEarlierKeys = 64

// newKeyring checks the keys, and asks the function for the first ones.
func newKeyring(publicKey, secretKey string, cfg *clientConfig) (*keyring, error) {
	if cfg.credentials == nil {
		environment, err := checkKeys(publicKey, secretKey)
		if err != nil {
			return nil, err
		}
		return &keyring{fixed: newSigner(publicKey, secretKey), environment: environment}, nil
	}
	if publicKey != "" || secretKey != "" {
		return nil, errors.New("intram: WithCredentials supplies the keys: give NewClient empty ones beside it")
	}
	k := new(keyring)
	k.source = renewal.New(cfg.timeout, func(ctx context.Context, held *signer) (*signer, error) {
		c, err := cfg.credentials(ctx)
		if err != nil {
			return nil, err
		}
		return k.accept(ctx, c, held, cfg.logger)
	})
	if _, err := k.source.Renew(context.Background(), nil); err != nil {
		return nil, credentialsError{err}
	}
	return k, nil
}

// credentialsError is a failure of the function, or of what it returned.
type credentialsError struct{ err error }

func (e credentialsError) Error() string   { return ErrCredentials.Error() + ": " + causeText(e.err) }
func (e credentialsError) OwnText() string { return e.Error() }
func (e credentialsError) Unwrap() []error { return []error{ErrCredentials, e.err} }

// accept checks what the function returned, and makes the signer that follows held.
func (k *keyring) accept(ctx context.Context, c Credentials, held *signer, l *slog.Logger) (*signer, error) {
	environment, err := checkKeys(c.PublicKey, c.SecretKey)
	switch {
	case err != nil:
		return nil, redact.Sentinel(strings.TrimPrefix(err.Error(), "intram: "))
	case c.Account == "":
		return nil, redact.Sentinel("Account is empty: name the merchant and the environment, by a text that stays the same when keys change")
	case held == nil:
		k.environment, k.account = environment, c.Account
	case environment != k.environment:
		return nil, redact.Sentinel(fmt.Sprintf("the keys are %s, and the client was made with %s ones: make another client", environment, k.environment))
	case c.Account != k.account:
		return nil, redact.Sentinel("the keys are of another Account than the client's: a call sent again with them could be executed twice")
	}
	next := newSigner(c.PublicKey, c.SecretKey)
	next.version = c.Version
	k.remember(c.PublicKey)
	if held == nil {
		return next, nil
	}
	next.encoded = held.encoded // how the server reads queries has nothing to do with keys
	if next.sameKeys(held) {
		next.mac = held.mac
		return next, nil
	}
	if l != nil {
		l.LogAttrs(ctx, slog.LevelInfo, "intram: the keys have changed", slog.String("from", redact.Text(held.version)), slog.String("to", redact.Text(c.Version)))
	}
	return next, nil
}

func (k *keyring) remember(publicKey string) {
	hash := accountHash("merchant", string(k.environment), publicKey)
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.earlier) < maxEarlierKeys && !slices.Contains(k.earlier, hash) {
		k.earlier = append(k.earlier, hash)
	}
}

// current returns the signer of the next attempt.
func (k *keyring) current() *signer {
	if k.source != nil {
		return k.source.Load()
	}
	return k.fixed
}

// hash is Intent.AccountSHA256 of the client's calls.
func (k *keyring) hash() string {
	if k.source != nil {
		return accountHash("account", string(k.environment), k.account)
	}
	return accountHash("merchant", string(k.environment), k.fixed.apiKey)
}

// publicKeyHash is Intent.PublicKeySHA256 of the client's calls, empty for fixed keys.
func (k *keyring) publicKeyHash() string {
	if k == nil || k.source == nil {
		return ""
	}
	return accountHash("merchant", string(k.environment), k.source.Load().apiKey)
}

// owns reports whether an intent with that AccountSHA256 is the client's: one that was
// saved while the program had fixed keys names one of the public keys.
func (k *keyring) owns(hash string) bool {
	if k == nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Contains(k.earlier, hash)
}

// Signer implements [transport.Keys].
func (k *keyring) Signer() transport.Signer { return k.current() }

// Renew implements [transport.Keys].
func (k *keyring) Renew(ctx context.Context, used transport.Signer, inDoubt bool) (transport.Signer, string) {
	refused, ok := used.(*signer)
	if k.source == nil || !ok {
		return nil, ""
	}
	next, err := k.source.Renew(ctx, refused)
	switch {
	case err != nil:
		return nil, "the function of WithCredentials returned no usable keys: " + causeText(err)
	case next.sameKeys(refused):
		return nil, "the function of WithCredentials returns the keys that were refused"
	case inDoubt && next.apiKey != refused.apiKey:
		return nil, changedInDoubt
	}
	return next, ""
}

// changedInDoubt ends a call. The documentation says that the API keeps an idempotency
// key for 24 hours, and not whether it is the merchant's or the public key's. If it is
// the public key's, the same call under another one is executed again.
const changedInDoubt = "not retried: the public key changed while an attempt was in doubt; look for the operation before you call again (Resume does)"

// sameKeys reports whether two signers have the same keys.
func (s *signer) sameKeys(other *signer) bool {
	return s.apiKey == other.apiKey && s.digest == other.digest
}

// checkKeys tells the environment, and finds the mistakes that would otherwise come back
// as invalid_api_key or signature_mismatch. It shows no part of a key.
func checkKeys(publicKey, secretKey string) (Environment, error) {
	if strings.HasPrefix(publicKey, "sk_") && strings.HasPrefix(secretKey, "pk_") {
		return "", errors.New("intram: publicKey and secretKey are swapped: the public key starts with pk_, the secret key with sk_")
	}
	if mistake := credential.Mistake(credential.PublicKey, publicKey); mistake != "" {
		return "", errors.New("intram: publicKey " + mistake)
	}
	if mistake := credential.MACMistake(credential.SecretKey, secretKey); mistake != "" {
		return "", errors.New("intram: secretKey " + mistake)
	}
	var environment Environment
	switch {
	case strings.HasPrefix(publicKey, "pk_sandbox_"):
		environment = Sandbox
	case strings.HasPrefix(publicKey, "pk_live_"):
		environment = Live
	default:
		return "", errors.New("intram: publicKey must start with pk_sandbox_ or pk_live_")
	}
	switch {
	case !strings.HasPrefix(secretKey, "sk_"):
		return "", errors.New("intram: secretKey must start with sk_ (the private key of the legacy API does not sign)")
	case environment == Live && strings.HasPrefix(secretKey, "sk_sandbox_"),
		environment == Sandbox && strings.HasPrefix(secretKey, "sk_live_"):
		return "", errors.New("intram: publicKey and secretKey are of two environments: one is live, one is sandbox")
	}
	return environment, nil
}
