package intram_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/intramtest"
)

var bothLanguages = []intram.Language{intram.English, intram.French}

// packageValues returns the values of the constants of type ErrorCode, and the names of
// the exported variables that begin with Err, of the root's files.
func packageValues(t *testing.T) (values map[string]string, sentinels []string) {
	t.Helper()
	values = map[string]string{}
	files, err := fs.Glob(os.DirFS("."), "*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, spec := range gen.Specs {
				value, ok := spec.(*ast.ValueSpec)
				if !ok {
					continue
				}
				if typ, ok := value.Type.(*ast.Ident); ok && gen.Tok == token.CONST && typ.Name == "ErrorCode" {
					lit, ok := value.Values[0].(*ast.BasicLit)
					require.True(t, ok)
					values[value.Names[0].Name], err = strconv.Unquote(lit.Value)
					require.NoError(t, err)
				}
				if gen.Tok == token.VAR && strings.HasPrefix(value.Names[0].Name, "Err") {
					sentinels = append(sentinels, value.Names[0].Name)
				}
			}
		}
	}
	return values, sentinels
}

var unknownCode = regexp.MustCompile(`does not know \(|ne connaît pas \(`)

// TestEveryCodeIsExplainedInBothLanguages walks over the constants of the source.
func TestEveryCodeIsExplainedInBothLanguages(t *testing.T) {
	t.Parallel()
	codes, _ := packageValues(t)
	require.Greater(t, len(codes), 45)
	for name, code := range codes {
		english, french := intram.Explain(intram.ErrorCode(code), intram.English), intram.Explain(intram.ErrorCode(code), intram.French)
		assert.NotEqual(t, english, french, name)
		for _, text := range []string{english, french} {
			assert.Regexp(t, `^[A-ZÀÉ].*\.$`, text, name)
			assert.NotRegexp(t, unknownCode, text, name)
			assert.NotContains(t, text, code, name)
		}
	}
	for _, language := range bothLanguages {
		assert.Regexp(t, unknownCode, intram.Explain(intram.ErrorCode("new_code"), language))
		assert.Contains(t, intram.Explain(intram.ErrorCode("new_code"), language), "new_code")
		assert.NotContains(t, intram.Explain(intram.ErrorCode("Ada Lovelace"), language), "Ada")
	}
}

// notOfCalls are the sentinels that are no error of a call: of deliveries, lists, texts.
var notOfCalls = map[string]error{
	"ErrInvalidMSISDN": intram.ErrInvalidMSISDN, "ErrAmbiguousAmount": intram.ErrAmbiguousAmount,
	"ErrMissingSignature": intram.ErrMissingSignature, "ErrInvalidSignature": intram.ErrInvalidSignature,
	"ErrDuplicateHeader": intram.ErrDuplicateHeader, "ErrMissingTimestamp": intram.ErrMissingTimestamp,
	"ErrInvalidTimestamp": intram.ErrInvalidTimestamp, "ErrStaleTimestamp": intram.ErrStaleTimestamp,
	"ErrInvalidPayload": intram.ErrInvalidPayload, "ErrTryLater": intram.ErrTryLater, "ErrUnexpectedData": intram.ErrUnexpectedData,
	"ErrLeaseLost": intram.ErrLeaseLost, "ErrInboxFull": intram.ErrInboxFull, "ErrInvalidClaim": intram.ErrInvalidClaim,
	"ErrCannotReconcile": intram.ErrCannotReconcile, "ErrBeyondHorizon": intram.ErrBeyondHorizon,
	"ErrPageOverflow": intram.ErrPageOverflow, "ErrEndlessList": intram.ErrEndlessList,
	"ErrNeverSent": intram.ErrNeverSent, "ErrIntentExpired": intram.ErrIntentExpired, "ErrIntentMismatch": intram.ErrIntentMismatch,
	"ErrPlatformClosed": intram.ErrPlatformClosed, "ErrUnknownMerchant": intram.ErrUnknownMerchant,
	"ErrCredentials": intram.ErrCredentials, "ErrSecretsUnavailable": intram.ErrSecretsUnavailable,
	"ErrUnexpectedResult": intram.ErrUnexpectedResult, "ErrResponseMismatch": intram.ErrResponseMismatch,
}

func TestEverySentinelIsExplainedInBothLanguages(t *testing.T) {
	t.Parallel()
	_, names := packageValues(t)
	require.Greater(t, len(names), 20)
	unknown := errors.New("of no kind")
	for _, name := range names {
		if name == "ErrCannotTell" { // always a *CannotTellError
			continue
		}
		err := notOfCalls[name]
		require.Error(t, err, "%s is to be explained, and in this test", name)
		assert.NotEqual(t, intram.Explain(err, intram.English), intram.Explain(err, intram.French), name)
		for _, language := range bothLanguages {
			text := intram.Explain(fmt.Errorf("wrapped: %w", err), language)
			assert.NotEqual(t, intram.Explain(unknown, language), text, name)
			assert.Equal(t, intram.Explain(err, language), text, name)
		}
	}
}

// moneyPaths are the calls of which an operator is told what became of the money.
var moneyPaths = []string{"/payouts", "/refunds", "/payment-requests", "/v1/payin/sessions", "/transfers"}

// TestTheMoneyComesFirst tries every code, with each outcome, for each call.
func TestTheMoneyComesFirst(t *testing.T) {
	t.Parallel()
	codes, _ := packageValues(t)
	codes["no code"], codes["unknown"] = "", "brand_new"
	doubt := regexp.MustCompile(`may have (?:been|moved)|a peut-être (?:été|bougé)`)
	again := regexp.MustCompile(`with a new idempotency key|new operation|avec une nouvelle clé|nouvelle opération`)
	first := func(text string) string { s, _, _ := strings.Cut(text, ". "); return s }
	checked := 0
	for _, language := range bothLanguages {
		for name, code := range codes {
			for _, path := range moneyPaths {
				for outcome, want := range map[intram.Outcome]string{
					intram.OutcomeUnknown:  doubt.String(),
					intram.OutcomeRejected: `^(?:No money moved|Aucun argent n'a bougé)`,
					intram.OutcomeNotSent:  `^(?:No money moved|Aucun argent n'a bougé)`,
				} {
					err := &intram.Error{Method: http.MethodPost, Path: path, StatusCode: 400, Code: intram.ErrorCode(code), Outcome: outcome, IdempotencyKey: "key-123456789"}
					text := intram.Explain(fmt.Errorf("wrapped: %w", err), language)
					assert.Regexp(t, want, first(text), "%s %s %s", name, path, outcome)
					if outcome == intram.OutcomeUnknown {
						assert.NotRegexp(t, again, text, "%s %s", name, path)
						checked++
					}
				}
			}
			expired := &intram.OperationError{
				OperationID: "op_1", Code: intram.ErrorCode(code), Operation: &intram.Operation{Type: intram.OperationPayout, Status: intram.OperationExpired},
			}
			assert.Regexp(t, doubt, first(intram.Explain(expired, language)), name)
			assert.NotRegexp(t, again, intram.Explain(expired, language), name)
			failed := &intram.OperationError{OperationID: "op_1", Code: intram.ErrorCode(code), Operation: &intram.Operation{Type: intram.OperationPayout}}
			text := intram.Explain(failed, language)
			if intram.OutcomeOf(failed) == intram.OutcomeUnknown {
				assert.Regexp(t, doubt, first(text), name)
				assert.NotRegexp(t, again, text, name)
			} else {
				assert.Regexp(t, `was not paid|n'a pas été payé`, first(text), name)
			}
		}
	}
	assert.Greater(t, checked, 400)
}

// TestTheErrorThatLeavesMostOpenIsExplained joins a refusal and a doubt.
func TestTheErrorThatLeavesMostOpenIsExplained(t *testing.T) {
	t.Parallel()
	refused := &intram.Error{Method: http.MethodPost, Path: "/refunds", StatusCode: 400, Code: intram.CodeAmountTooSmall, Outcome: intram.OutcomeRejected}
	inDoubt := &intram.Error{Method: http.MethodPost, Path: "/payouts", Outcome: intram.OutcomeUnknown, IdempotencyKey: "key-123456789"}
	for _, language := range bothLanguages {
		want := intram.Explain(inDoubt, language)
		assert.Equal(t, want, intram.Explain(errors.Join(refused, inDoubt), language))
		assert.Equal(t, want, intram.Explain(errors.Join(inDoubt, refused), language))
	}
}

// TestExplanations shows what is said of each kind of error.
func TestExplanations(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, time.November, 26, 14, 5, 0, 0, time.UTC)
	call := func(method, path string, outcome intram.Outcome) *intram.Error {
		return &intram.Error{Method: method, Path: path, Outcome: outcome, IdempotencyKey: "key-123456789"}
	}
	refused := call(http.MethodPost, "/payouts", intram.OutcomeRejected)
	refused.StatusCode, refused.Code = 400, intram.CodeValidationError
	refused.Details = []intram.InvalidField{{Path: "destination.msisdn", Msg: "Ada 22961234567"}, {Path: "metadata.Ada", Msg: "x"}}
	signature := call(http.MethodGet, "/balance", intram.OutcomeRejected)
	signature.StatusCode, signature.Code, signature.Message = 401, intram.CodeSignatureInvalid, "Signature verification failed: timestamp_out_of_window"
	address := call(http.MethodPost, "/payouts", intram.OutcomeRejected)
	address.StatusCode, address.Code, address.ClientIP = 403, intram.CodeIPNotAllowed, "203.0.113.7"
	payout := &intram.Operation{ID: "op_1", Type: intram.OperationPayout}
	for name, c := range map[string]struct {
		err    error
		en, fr string
	}{
		"nil": {nil, "", ""},
		"a payout in doubt": {
			call(http.MethodPost, "/payouts", intram.OutcomeUnknown),
			"The payout may have been executed: do not pay again before you know. No response came. Ask again with the same idempotency key and the same parameters within 24 hours, or look it up in the list of operations.",
			"Le reversement a peut-être été exécuté : ne payez pas une seconde fois avant d'en être sûr. Aucune réponse n'est arrivée. Refaites la demande avec la même clé d'idempotence et les mêmes paramètres dans les 24 heures, ou cherchez-la parmi les opérations.",
		},
		"a lookup": {
			call(http.MethodGet, "/operations/{id}", intram.OutcomeUnknown),
			"This lookup moves no money and says nothing about the payment itself: it had no usable response. No response came. Ask again in a moment.",
			"Cette consultation ne déplace pas d'argent et ne dit rien du paiement lui-même : elle est restée sans réponse exploitable. Aucune réponse n'est arrivée. Réessayez dans un instant.",
		},
		"a payin session in doubt": {
			call(http.MethodPost, "/v1/payin/sessions", intram.OutcomeUnknown),
			"The payin session may have been created: do not create another before you know. No response came. Look the session up by its reference.",
			"La session payin a peut-être été créée : n'en créez pas une autre avant d'en être sûr. Aucune réponse n'est arrivée. Consultez la session par sa référence.",
		},
		"a subscription in doubt": {
			call(http.MethodPost, "/webhooks", intram.OutcomeUnknown),
			"This call moves no money, but it may have taken effect: look at the list before you call again. No response came.",
			"Cet appel ne déplace pas d'argent, mais il a peut-être pris effet : vérifiez la liste avant de recommencer. Aucune réponse n'est arrivée.",
		},
		"refused fields": {
			refused,
			"No money moved: Intram refused the payout. These parameters are not accepted: destination.msisdn (an international number, such as 2290161234567), metadata.…. Correct them, then ask again.",
			"Aucun argent n'a bougé : Intram a refusé le reversement. Ces paramètres ne sont pas acceptés : destination.msisdn (un numéro international, par exemple 2290161234567), metadata.…. Corrigez-les, puis refaites la demande.",
		},
		"a signature": {
			signature,
			"This lookup moves no money and says nothing about the payment itself: it was refused. This machine's clock is more than 5 minutes off. Check the secret key and this machine's clock.",
			"Cette consultation ne déplace pas d'argent et ne dit rien du paiement lui-même : elle a été refusée. L'horloge de cette machine a plus de 5 minutes d'écart. Vérifiez la clé secrète et l'heure de cette machine.",
		},
		"an address": {
			address,
			"No money moved: Intram refused the payout. Your server's address is not on the list of allowed IP addresses (203.0.113.7). Add it in Intram's dashboard.",
			"Aucun argent n'a bougé : Intram a refusé le reversement. L'adresse de votre serveur n'est pas dans la liste d'adresses IP autorisées (203.0.113.7). Ajoutez-la dans le tableau de bord d'Intram.",
		},
		"a wait": {
			&intram.WaitError{ID: "op_1", Operation: payout, Err: context.DeadlineExceeded},
			"The payout was accepted and has not ended: it may still succeed. Do not pay again. The time allowed for the wait is over. Look at it again later, with the same identifier.",
			"Le reversement est accepté et n'est pas terminé : il peut encore réussir. Ne payez pas une seconde fois. Le temps d'attente prévu est écoulé. Vérifiez de nouveau plus tard, avec le même identifiant.",
		},
		"a wait for nothing": {
			&intram.WaitError{ID: "op_1", Err: fmt.Errorf("%w", intram.CodeOperationNotFound)},
			"Nothing is known about this payment: Intram does not know its identifier. Check the identifier, and that the keys are those of its merchant and environment.",
			"On ne sait pas ce que ce paiement est devenu : Intram ne connaît pas son identifiant. Vérifiez l'identifiant, et que les clés sont bien celles de ce marchand et de cet environnement.",
		},
		"an unexpected result": {
			&intram.WaitError{ID: "op_1", Operation: payout, Err: intram.ErrUnexpectedResult},
			"The payout may have been executed: do not pay again before you know. The operation ended with a result that this version of the SDK does not understand. Look at the operation before you do anything else.",
			"Le reversement a peut-être été exécuté : ne payez pas une seconde fois avant d'en être sûr. L'opération s'est terminée par un résultat que cette version du SDK ne comprend pas. Consultez l'opération avant toute autre chose.",
		},
		"cannot tell": {
			&intram.CannotTellError{IdempotencyKey: "key-123456789", Candidates: []*intram.Operation{payout}, RetryAt: at},
			"Money may have moved: do not pay again before you know. One or several operations may be this one. Compare them with your records before you pay again. It is too early to conclude. Resume it again after 26 November 2026, 14:05 UTC.",
			"De l'argent a peut-être bougé : ne payez pas une seconde fois avant d'en être sûr. Une ou plusieurs opérations sont peut-être celle que vous cherchez. Comparez-les à vos écritures avant de payer de nouveau. Il est trop tôt pour conclure. Reprenez l'opération après le 26 novembre 2026 à 14:05 UTC.",
		},
		"an operation without a code": {
			&intram.OperationError{OperationID: "op_1"},
			"The operation is reported as failed, but money may have moved: do not pay again before you know. Ask the operator or Intram's support whether it was paid.",
			"L'opération est annoncée en échec, mais de l'argent a peut-être bougé : ne payez pas une seconde fois avant d'en être sûr. Demandez à l'opérateur ou à l'assistance d'Intram si le paiement a eu lieu.",
		},
		"an error of nothing that is known": {
			errors.New("22961234567"),
			"Money may have moved: do not pay again before you know. The cause is not known to the SDK. Show the original error to your developer.",
			"De l'argent a peut-être bougé : ne payez pas une seconde fois avant d'en être sûr. Le SDK ne connaît pas la cause. Montrez l'erreur d'origine à votre développeur.",
		},
		"a nil pointer": {
			(*intram.Error)(nil),
			"Money may have moved: do not pay again before you know. The cause is not known to the SDK. Show the original error to your developer.",
			"De l'argent a peut-être bougé : ne payez pas une seconde fois avant d'en être sûr. Le SDK ne connaît pas la cause. Montrez l'erreur d'origine à votre développeur.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, c.en, intram.Explain(c.err, intram.English))
			assert.Equal(t, c.en, intram.Explain(c.err, "de"), "a language that has no sentences")
			assert.Equal(t, c.fr, strings.ReplaceAll(intram.Explain(c.err, intram.French), "\u00a0", " "))
			if _, rest, ok := strings.Cut(c.fr, " :"); ok {
				assert.Contains(t, intram.Explain(c.err, intram.French), "\u00a0:"+strings.SplitN(rest, " ", 3)[0])
			}
		})
	}
}

// TestTheNetworkIsExplained names the reason of a call that got no response.
func TestTheNetworkIsExplained(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		en, fr string
	}{
		"dns":         {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "secret.example", IsNotFound: true}}, "name of the server", "nom du serveur"},
		"dial":        {&net.OpError{Op: "dial", Err: errors.New("refused")}, "could not be reached", "injoignable"},
		"read":        {&net.OpError{Op: "read", Err: errors.New("reset")}, "No response came", "Aucune réponse"},
		"timeout":     {context.DeadlineExceeded, "in time", "à temps"},
		"canceled":    {context.Canceled, "interrupted", "interrompu"},
		"certificate": {x509.UnknownAuthorityError{}, "certificate", "certificat"},
	} {
		assert.Contains(t, intram.Explain(c.err, intram.English), c.en, name)
		assert.Contains(t, intram.Explain(c.err, intram.French), c.fr, name)
		assert.NotContains(t, intram.Explain(c.err, intram.English), "secret.example", name)
	}
}

// TestARefusedSettingIsExplained is about constructors and about the SDK's own checks.
func TestARefusedSettingIsExplained(t *testing.T) {
	t.Parallel()
	_, err := intram.NewClient("sk_sandbox_d4e5f6", "pk_sandbox_a1b2c3")
	text := intram.Explain(err, intram.French)
	assert.Contains(t, text, "Aucun argent n'a bougé")
	assert.Contains(t, text, "réglages")

	client := intramtest.NewServer(t).Client()
	_, err = client.Payouts.Create(t.Context(), intram.PayoutParams{Destination: intram.MobileMoney{ProviderCode: intram.MTNBenin, MSISDN: "12"}})
	text = intram.Explain(err, intram.French)
	assert.Contains(t, text, "le reversement n'a pas été envoyé")
	assert.Contains(t, text, "amount (un nombre entier de francs, supérieur à 0), destination.msisdn (un numéro international")
	_, err = client.Payouts.Wait(t.Context(), "op_1", intram.WithMaxWait(-1))
	assert.Contains(t, intram.Explain(err, intram.French), "WithMaxWait")
}

// TestAProxyIsNotTakenForTheAPI has a page in place of the API's response.
func TestAProxyIsNotTakenForTheAPI(t *testing.T) {
	t.Parallel()
	server := intramtest.NewServer(t)
	require.NoError(t, server.Fault(intramtest.Fault{Kind: intramtest.ProxyError, On: "POST /payouts", Times: 1}))
	_, err := server.Client(intram.WithMaxAttempts(1)).Payouts.Create(t.Context(), intentParams())
	require.Error(t, err)
	text := intram.Explain(err, intram.French)
	assert.Contains(t, text, "Le reversement a peut-être été exécuté")
	assert.Contains(t, text, "a répondu à la place d'Intram")
}

// TestAnExplanationContainsNothingOfThePayment gives an error everything that it can
// hold.
func TestAnExplanationContainsNothingOfThePayment(t *testing.T) {
	t.Parallel()
	const personal = "22961234567"
	for _, code := range []intram.ErrorCode{intram.CodeProviderRejected, intram.CodeSignatureInvalid, intram.CodeIPNotAllowed, personal} {
		for _, err := range []error{
			&intram.Error{
				Method: "POST", Path: "/payouts/" + personal, StatusCode: 400, Code: code, Message: personal, ClientIP: personal, Outcome: intram.OutcomeUnknown,
				IdempotencyKey: personal, Reference: personal, RequestID: personal, Body: []byte(personal), Details: []intram.InvalidField{{Path: personal, Msg: personal}},
			},
			&intram.OperationError{OperationID: personal, Code: code, Message: personal, Details: intram.ProviderResponse{ResponseCode: personal, ResponseMessage: personal}},
			&intram.WaitError{ID: personal, Err: errors.New(personal)},
			&intram.CannotTellError{IdempotencyKey: personal, Candidates: []*intram.Operation{{ID: personal}}, Err: errors.New(personal)},
		} {
			for _, language := range bothLanguages {
				assert.NotContains(t, intram.Explain(err, language), personal)
			}
		}
	}
}

// itself is an error that wraps itself, alone or beside others.
type itself struct{ cause []error }

func (e *itself) Error() string   { return "itself" }
func (e *itself) Unwrap() []error { return append([]error{e, e}, e.cause...) }

// chain is an error that wraps itself.
type chain struct{ next error }

func (e *chain) Error() string { return "chain" }
func (e *chain) Unwrap() error { return e.next }

// panicking is an error of which every method panics.
type panicking struct{}

func (panicking) Error() string   { panic("Error") }
func (panicking) Is(error) bool   { panic("Is") }
func (panicking) As(any) bool     { panic("As") }
func (panicking) Unwrap() []error { panic("Unwrap") }

// mute is an error whose text alone panics.
type mute struct{}

func (mute) Error() string { panic("Error") }

// TestAHostileErrorLeavesTheMoneyInDoubt has errors that no program should make.
func TestAHostileErrorLeavesTheMoneyInDoubt(t *testing.T) {
	t.Parallel()
	rejected := &intram.Error{Method: http.MethodPost, Path: "/payouts", StatusCode: 400, Code: intram.CodeAmountTooSmall, Outcome: intram.OutcomeRejected}
	odd := &intram.Error{Method: http.MethodPost, Path: "/payouts", StatusCode: 400, Code: intram.CodeAmountTooSmall, Outcome: "maybe"}
	inDoubt := &intram.Error{Method: http.MethodPost, Path: "/payouts", Outcome: intram.OutcomeUnknown, IdempotencyKey: "key-123456789"}
	lookup := &intram.Error{Method: http.MethodGet, Path: "/operations/{id}", Outcome: intram.OutcomeUnknown}
	subscription := &intram.Error{Method: http.MethodPost, Path: "/webhooks", Outcome: intram.OutcomeUnknown}
	loop := &chain{}
	loop.next = loop
	for name, err := range map[string]error{
		"an error that wraps itself":            loop,
		"one that wraps itself and a refusal":   &itself{[]error{rejected}},
		"a refusal, and one that wraps itself":  errors.Join(rejected, loop),
		"methods that panic":                    panicking{},
		"a refusal, and methods that panic":     errors.Join(rejected, panicking{}),
		"a text that panics":                    mute{},
		"a nil pointer of another package":      (*url.Error)(nil),
		"a nil pointer behind others":           fmt.Errorf("wrapped: %w", errors.Join(rejected, (*net.OpError)(nil))),
		"a nil wait":                            (*intram.WaitError)(nil),
		"a nil failure":                         (*intram.OperationError)(nil),
		"a nil doubt":                           (*intram.CannotTellError)(nil),
		"a code of nothing":                     intram.ErrorCode(""),
		"an outcome that does not exist":        odd,
		"such an outcome beside a refusal":      errors.Join(rejected, odd),
		"a lookup and a payout in doubt":        errors.Join(lookup, inDoubt),
		"a payout and a lookup in doubt":        errors.Join(inDoubt, lookup),
		"a subscription and a payout in doubt":  errors.Join(subscription, inDoubt),
		"a lookup and a wait that did not end":  errors.Join(lookup, &intram.WaitError{ID: "op_1", Err: context.Canceled}),
		"a megabyte":                            errors.New(strings.Repeat("22961234567 ", 100_000)),
		"a megabyte around a payout in doubt":   fmt.Errorf("%s: %w", strings.Repeat("22961234567 ", 100_000), inDoubt),
		"a thousand wrappings of a lost payout": wrapped(inDoubt, 1000),
	} {
		assert.Equal(t, intram.OutcomeUnknown, intram.OutcomeOf(err), name)
		for _, language := range bothLanguages {
			text := intram.Explain(err, language)
			assert.Regexp(t, `may have|may still|a peut-être|peut encore`, text, name)
			assert.NotRegexp(t, `No money moved|Aucun argent|moves no money|ne déplace pas|229`, text, name)
			assert.Less(t, len(text), 1000, name)
		}
	}
	many := make([]error, 20_000) // the failures of a batch
	for i := range many {
		many[i] = rejected
	}
	assert.Equal(t, intram.OutcomeRejected, intram.OutcomeOf(errors.Join(many...)))
	assert.Equal(t, intram.Explain(rejected, intram.French), intram.Explain(errors.Join(many...), intram.French))
}

// wrapped returns an error wrapped n times.
func wrapped(err error, n int) error {
	for range n {
		err = &chain{err}
	}
	return err
}

// A limiter whose Redis is away says nothing of the way to Intram.
func TestALimitersNetworkIsNotTheAPIs(t *testing.T) {
	t.Parallel()
	away := &net.OpError{Op: "dial", Err: &net.DNSError{Name: "redis"}}
	client := newClient(t, &script{t: t}, intram.WithLimiter(&limiterFunc{wait: func(context.Context, int) error { return away }}))
	_, err := client.Balance.Get(t.Context())
	require.Error(t, err)
	assert.Contains(t, intram.Explain(err, intram.English), "The limit on requests of your own program")
	assert.Contains(t, intram.Explain(err, intram.French), "limite de requêtes de votre propre programme")
	assert.Equal(t, intram.OutcomeNotSent, intram.OutcomeOf(err))
}
