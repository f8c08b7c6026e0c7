package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	intram "github.com/intram/intram-go"
	"github.com/intram/intram-go/internal/redact"
)

// Exit statuses. Scripts rely on them, so they never change.
const (
	exitOK          = 0
	exitUsage       = 1   // nothing was sent
	exitRefused     = 2   // nothing moved
	exitInDoubt     = 3   // it may have been executed
	exitFailed      = 4   // the operation ended, and failed
	exitUnfinished  = 5   // the wait ended first
	exitNoAnswer    = 6   // a read had no response
	exitInterrupted = 130 // as shells use it
	exitNoReader    = 141 // likewise, when a pipe's reader has gone
)

// exitHelp is the same table in the help, the man page and the README.
const exitHelp = `Exit status:
    0    done; a signature is good
    1    the command line, the configuration or the parameters: nothing was sent
    2    refused: what was asked for was not done; a signature is not good
    3    in doubt: it may have been executed; the message says how to continue
    4    the operation ended and failed; the message says what is known
    5    accepted; the wait ended first, or failed: ask again with the same id
    6    no response to a read, or the output could not be written
    130  interrupted before anything was sent
Once the API has accepted a payout, a refund or a payment, it is 0, 3, 4 or 5,
whatever fails afterwards; the operation's id and key are on the error stream.`

// exitError is an error with its exit status.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef returns the error for a mistake found before anything was sent.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// errSaid is wrapped by errors that the command has already reported on its output.
var errSaid = errors.New("said")

// said ends a command with an exit status and no further message.
func said(code int) error { return &exitError{code, errSaid} }

// exitCode returns the exit status for an error.
func exitCode(err error) int {
	var (
		known  *exitError
		failed *intram.OperationError
		wait   *intram.WaitError
		call   *intram.Error
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &known):
		return known.code
	case errors.As(err, &failed):
		return exitFailed
	case errors.As(err, &wait):
		if errors.As(err, &call) && call.StatusCode == http.StatusNotFound {
			return exitRefused // the id is wrong: another try brings nothing
		}
		return exitUnfinished
	case errors.As(err, &call) && call.Outcome == intram.OutcomeRejected:
		return exitRefused
	case errors.As(err, &call) && call.Outcome == intram.OutcomeUnknown:
		if call.Method == http.MethodGet {
			return exitNoAnswer
		}
		return exitInDoubt
	case errors.Is(err, intram.ErrUnexpectedResult):
		return exitRefused
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, new(*outputError)):
		return exitNoAnswer
	case errors.As(err, new(*panicError)):
		return exitNoAnswer
	default:
		return exitUsage
	}
}

// stage is how far a run's creation has come.
type stage int

const (
	nothingSent stage = iota
	sending           // it may have been executed
	accepted          // the API has accepted it
)

// creating is what a run knows about its creation.
type creating struct {
	stage stage
	key   string
	id    string
	again string // the command that looks up its result
}

// report writes what must not be lost to the error stream: in words, or with --json as a
// line of JSON.
func (a *app) report(line any, format string, args ...any) {
	if !a.asJSON {
		a.sayError(format, args...)
		return
	}
	data, _ := json.Marshal(line) //nolint:errchkjson // words
	fmt.Fprintf(a.err, "%s\n", data)
}

// accept records that the API has accepted the call, and prints its id before anything
// else can fail.
func (a *app) accept(what, id, again string) {
	a.creating.stage, a.creating.id, a.creating.again = accepted, id, again
	a.report(acceptedLine{Accepted: true, OperationID: id, IdempotencyKey: a.creating.key}, "Accepted as %s %s.", what, id)
}

// acceptedLine is what --json prints when the API has accepted something.
type acceptedLine struct {
	Accepted       bool   `json:"accepted"`
	OperationID    string `json:"operation_id"`
	IdempotencyKey string `json:"idempotency_key,omitempty"`
}

// exitCode returns the exit status of the run: that of its error, if it is true of what
// was sent.
func (a *app) exitCode(err error) int {
	code := exitCode(err)
	switch a.creating.stage {
	case accepted:
		if !slices.Contains([]int{exitOK, exitInDoubt, exitFailed, exitUnfinished}, code) {
			return exitUnfinished
		}
	case sending:
		if code != exitOK && intram.OutcomeOf(err) == intram.OutcomeUnknown {
			return exitInDoubt
		}
	case nothingSent:
		if broken := new(outputError); errors.As(err, &broken) && noReader(broken) {
			return exitNoReader
		}
	}
	return code
}

// end prints the last messages of a run, and returns its exit status.
func (a *app) end(err error) int {
	quiet := errors.Is(err, errSaid)
	if out, ok := a.out.(*output); ok && out.err != nil {
		if broken := new(outputError); !errors.As(err, &broken) {
			err = errors.Join(err, out.err)
		}
		quiet = false
	}
	code := a.exitCode(err)
	if err != nil && !quiet && code != exitNoReader {
		a.sayFailure(err, code)
	}
	return code
}

// output is the standard output. It remembers a failed write.
type output struct {
	io.Writer

	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil && o.err == nil {
		o.err = &outputError{err}
	}
	if err != nil {
		err = o.err
	}
	return n, err
}

// outputError is a failed write of the output: a full disk, or a pipe without a reader.
type outputError struct{ err error }

func (e *outputError) Error() string { return "the output cannot be written: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// panicError is a panic of this program. Its value is not shown: it may be personal data.
type panicError struct {
	at  string
	why error // of the runtime, nil for others
}

func newPanicError(value any) *panicError {
	e := &panicError{at: panicPlace()}
	e.why, _ = value.(runtime.Error)
	return e
}

// panicPlace returns where in this program or the SDK it panicked.
func panicPlace() string {
	var pcs [64]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	panicked := false
	for {
		frame, more := frames.Next()
		if panicked && strings.Contains(frame.Function, "intram-go") {
			return fmt.Sprintf("%s:%d", filepath.Base(frame.File), frame.Line)
		}
		panicked = panicked || frame.Function == "runtime.gopanic"
		if !more {
			return "an unknown place"
		}
	}
}

func (e *panicError) Error() string {
	text := "internal error at " + e.at
	if e.why != nil {
		text += ": " + e.why.Error()
	}
	return text + "; please report it"
}

// resumable is the error of a call that may have been executed, with the command that
// finds out.
type resumable struct {
	err     error
	command string
}

func (e *resumable) Error() string { return e.err.Error() }
func (e *resumable) Unwrap() error { return e.err }

// sayFailure reports why the command failed, on the error stream: in words, or with
// --json as one line of JSON.
func (a *app) sayFailure(err error, code int) {
	var (
		call   *intram.Error
		failed *intram.OperationError
		resume *resumable
	)
	errors.As(err, &call)
	errors.As(err, &failed)
	errors.As(err, &resume)
	taken := call != nil && call.Code == intram.CodeIdempotencyConflict
	if taken {
		resume = nil // the same request would be refused again
	}
	words := inShellWords(err.Error())
	if a.asJSON {
		line := failureLine{Exit: code, Message: words, OperationID: a.creating.id, IdempotencyKey: a.creating.key}
		if call != nil {
			line.Outcome, line.Code, line.Status = call.Outcome, shownCode(call.Code), call.StatusCode
			line.Details = a.fieldErrors(call)
			if call.IdempotencyKey != "" && call.Outcome != intram.OutcomeNotSent {
				line.IdempotencyKey = call.IdempotencyKey
			}
		}
		if failed != nil {
			line.Outcome, line.Code, line.OperationID = intram.OutcomeOf(failed), shownCode(failed.Code), failed.OperationID
		}
		if resume != nil {
			line.Resume = resume.command
		}
		line.APIMessage = a.serverWords(call, failed)
		data, _ := json.Marshal(line) //nolint:errchkjson // words and numbers
		fmt.Fprintf(a.err, "%s\n", data)
		return
	}
	if explained := a.explanation(err); explained != "" {
		a.sayError("intram: %s", explained)
		a.sayError("For support: %s", trimPrefix(words))
	} else {
		a.sayError("intram: %s", trimPrefix(words))
	}
	if said := a.serverWords(call, failed); said != "" {
		a.sayError("The API says: %s", printable(said))
	}
	if call != nil && call.StatusCode != 0 && a.verbose {
		for _, d := range a.fieldErrors(call) {
			a.sayError("The API says of %s: %s", d.Path, printable(d.Msg))
		}
	}
	if call != nil && call.Code == intram.CodeSignatureInvalid {
		a.sayError("To find out which mistake it is, give the request to: intram explain-signature")
	}
	if failed != nil && intram.OutcomeOf(failed) == intram.OutcomeUnknown {
		a.sayError("The operator was unreachable, made an error or never responded, so it may have moved the money although the operation failed:  " +
			"ask the operator, or Intram, before you do it again.")
	}
	if a.creating.stage == accepted && code == exitUnfinished && a.creating.again != "" {
		a.sayError("The API has accepted %s. To continue:", a.creating.id)
		fmt.Fprintf(a.err, "  %s\n", a.creating.again)
	}
	if taken {
		a.sayError("The key belongs to another request. Look up the result of that one by its amount, number and reference:")
		fmt.Fprintln(a.err, "  intram operations list --all --json")
	}
	if resume != nil {
		a.sayError("To find out without doing it twice, run exactly this within 23 hours:")
		fmt.Fprintf(a.err, "  %s\n", resume.command)
	}
}

// explanation returns what the SDK says to an operator about one of its errors, in a
// language other than that of the error itself.
func (a *app) explanation(err error) string {
	if a.lang != intram.French {
		return ""
	}
	_, call := errors.AsType[*intram.Error](err)
	_, failed := errors.AsType[*intram.OperationError](err)
	_, wait := errors.AsType[*intram.WaitError](err)
	_, cannotTell := errors.AsType[*intram.CannotTellError](err)
	if !call && !failed && !wait && !cannotTell {
		return ""
	}
	return intram.Explain(err, a.lang)
}

// shownCode returns a code that is safe to show. A server's text that is not a code may
// contain anything.
func shownCode(code intram.ErrorCode) intram.ErrorCode {
	return intram.ErrorCode(redact.Code(string(code)))
}

// fieldErrors returns the fields that were refused. A server's sentence about one may
// repeat what a customer typed: it is only shown with --verbose. The SDK's own checks
// name the field and what is expected.
func (a *app) fieldErrors(call *intram.Error) []fieldError {
	var shown []fieldError
	for _, d := range call.Details {
		switch {
		case call.StatusCode == 0 || a.verbose:
			shown = append(shown, fieldError{d.Path, inShellWords(d.Msg)})
		default:
			shown = append(shown, fieldError{Path: redact.Path(d.Path)})
		}
	}
	return shown
}

// serverWords returns the API's own message about a failure, with --verbose. It may name
// a customer.
func (a *app) serverWords(call *intram.Error, failed *intram.OperationError) string {
	switch {
	case !a.verbose:
	case failed != nil:
		return failed.Message
	case call != nil && call.StatusCode != 0:
		return call.Message
	}
	return ""
}

// fieldError is a field that was refused.
type fieldError struct {
	Path string `json:"path"`
	Msg  string `json:"msg,omitempty"`
}

// failureLine is what --json prints about a failure.
type failureLine struct {
	Exit           int              `json:"exit"`
	Message        string           `json:"message"`
	Outcome        intram.Outcome   `json:"outcome,omitempty"`
	Code           intram.ErrorCode `json:"code,omitempty"`
	Status         int              `json:"http_status,omitempty"`
	Details        []fieldError     `json:"details,omitempty"`
	APIMessage     string           `json:"api_message,omitempty"`
	OperationID    string           `json:"operation_id,omitempty"`
	IdempotencyKey string           `json:"idempotency_key,omitempty"`
	Resume         string           `json:"resume,omitempty"`
}
