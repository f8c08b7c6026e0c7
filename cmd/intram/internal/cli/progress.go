package cli

import (
	"fmt"
	"time"

	"github.com/jedib0t/go-pretty/v6/progress"

	"github.com/intram/intram-go/batch"
	"github.com/intram/intram-go/cmd/intram/internal/sheet"
)

// progressShow shows the progress of a batch: a bar for a person, a line now and then for
// a file.
type progressShow struct {
	app   *app
	bar   *progress.Tracker // nil without a terminal
	drawn chan struct{}     // closed when the bar is drawn no more
	begun time.Time
	first int // lines that an earlier run had done
	last  int // what the last line of text said
	quick bool
}

func (a *app) showProgress(p batch.Progress, quick bool) *progressShow {
	s := &progressShow{app: a, begun: a.clock.Now(), quick: quick}
	s.first = s.done(p)
	s.last = s.first
	left := p.Lines - s.first // what an earlier run did is not this one's speed
	if left == 0 || a.asJSON || !a.isTerminal(a.err) {
		return s
	}
	s.bar = &progress.Tracker{
		Total: int64(left), Message: s.message(p),
		Units: progress.Units{Formatter: func(done int64) string {
			return a.inLanguage(fmt.Sprintf("%d of %s", done, sheet.Count(left, "line", "lines")))
		}},
	}
	w := progress.NewWriter()
	w.SetOutputWriter(a.err)
	w.SetTerminalWidth(columns)
	w.SetTrackerLength(12)
	w.SetUpdateFrequency(max(a.throttle, time.Millisecond))
	w.SetAutoStop(true)
	style := progress.StyleDefault
	style.Options.Separator, style.Options.DoneString, style.Options.ErrorString = " ", "", ""
	style.Options.TimeInProgressPrecision = time.Second
	style.Visibility.Percentage = false
	style.Visibility.ETA = true
	w.SetStyle(style)
	w.AppendTracker(s.bar)
	s.drawn = make(chan struct{})
	go func() { defer close(s.drawn); w.Render() }()
	return s
}

func (s *progressShow) done(p batch.Progress) int {
	if s.quick {
		return p.Ended + p.Accepted
	}
	return p.Ended
}

// message returns the text in front of the bar.
func (s *progressShow) message(p batch.Progress) string {
	return s.app.inLanguage(fmt.Sprintf("%d failed, %d left", p.Failed+p.Refused, p.Lines-s.done(p)))
}

// update shows a change.
func (s *progressShow) update(p batch.Progress) {
	done := s.done(p)
	if s.bar != nil {
		s.bar.UpdateMessage(s.message(p))
		s.bar.SetValue(int64(done - s.first))
		return
	}
	if s.app.asJSON || done-s.last < max(1, p.Lines/10) && done < p.Lines || done == s.last {
		return
	}
	s.last = done
	rate := ""
	if elapsed := s.app.clock.Now().Sub(s.begun); elapsed >= time.Second {
		rate = fmt.Sprintf(", %d a minute", int64(done-s.first)*int64(time.Minute)/int64(elapsed))
	}
	s.app.sayError("%d of %d done, %d failed, %d remaining%s", done, p.Lines, p.Failed+p.Refused, p.Lines-done, rate)
}

// finish draws the bar a last time, and leaves it on the screen.
func (s *progressShow) finish() {
	if s.bar != nil {
		s.bar.MarkAsErrored() // no more of it comes, whether or not it is whole
		<-s.drawn
	}
}
