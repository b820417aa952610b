package testcluster

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/security"
	"github.com/chromedp/chromedp"

	lockstepv1 "lockstep/api/lockstep/v1"
	"lockstep/internal/access"
	"lockstep/internal/certs"
)

// token makes a token of a secure cluster.
func (c *Cluster) token(role certs.Role, expires time.Time) string {
	c.t.Helper()
	text, made, err := access.NewToken("ada", role, expires)
	if err == nil {
		_, err = c.Client.CreateToken(c.context(), &lockstepv1.CreateTokenRequest{Token: made})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// signIn types a token into the dialog.
func (b *browser) signIn(token string) {
	b.t.Helper()
	b.do("sign in", chromedp.WaitVisible("dialog input"), chromedp.SetValue("dialog input", token), chromedp.Click("dialog button"))
}

// has counts the elements that the page shows.
func (b *browser) has(selector string) (n int) {
	b.t.Helper()
	b.do("count", chromedp.Evaluate("[...document.querySelectorAll('"+selector+"')].filter((x) => x.checkVisibility()).length", &n))
	return n
}

// TestSignIn: the page of a secure cluster asks for a token, says what is wrong with one, shows each role what it may do,
// asks again when a token is revoked, and forgets it when its reader signs out.
func TestSignIn(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Coordinators: 1, Workers: 2, Secure: true})
	c.WaitWorkers(2)
	b := openBrowser(t, c)
	c.Submit(digits(t, "spec.training.epochs", "2000"))
	const buttons = ".bar > button.danger"
	b.do("open the page", chromedp.ActionFunc(func(ctx context.Context) error { return security.SetIgnoreCertificateErrors(true).Do(ctx) }),
		chromedp.Navigate("https://"+c.seats[0].HTTP+"/#/job/digits-mlp"))
	b.sees("asks who you are")
	b.shoot("signin", "light")
	for _, x := range []struct{ token, wrong string }{
		{"lockstep_0123456789abcdef_" + strings.Repeat("0", 64), "unknown"},
		{c.token(certs.Admin, time.Now().Add(-time.Hour)), "expired"},
		{c.token(access.Join, time.Time{}), "join/ada may not see this page"},
	} {
		b.signIn(x.token)
		b.sees(x.wrong)
	}
	b.shoot("signin-wrong", "dark")
	reader := c.token(certs.Reader, time.Time{})
	b.signIn(reader)
	b.sees("ada (reader)", "RUNNING", "2 workers")
	if b.has("dialog") != 0 || b.has(buttons) != 0 || b.has("nav a[href=\"#/submit\"]") != 0 {
		t.Error("a reader sees the dialog, buttons, or the way to submit")
	}
	b.do("open submit", chromedp.Evaluate("location.hash = '#/submit'", nil))
	b.sees("may not submit jobs")
	b.do("open the job", chromedp.Evaluate("location.hash = '#/job/digits-mlp'", nil), chromedp.Reload())
	b.sees("ada (reader)", "RUNNING")
	if _, err := c.Client.RevokeToken(c.context(), &lockstepv1.RevokeTokenRequest{Token: strings.Split(reader, "_")[1]}); err != nil {
		t.Fatal(err)
	}
	b.sees("was revoked")
	b.signIn(c.token(certs.User, time.Time{}))
	b.sees("ada (user)", "Pause")
	b.do("pause", chromedp.Evaluate("[...document.querySelectorAll('button')].find((b) => b.textContent === 'Pause').click()", nil))
	b.sees("PAUSED")
	b.do("narrow", chromedp.EmulateViewport(390, 800))
	b.shoot("signed-in-narrow", "light")
	b.do("sign out", chromedp.Click("#who button"))
	b.sees("asks who you are")
	b.shoot("signin-narrow", "dark")
	var left string
	b.do("look what is left", chromedp.Evaluate("document.body.innerText + JSON.stringify(sessionStorage) + JSON.stringify(localStorage)", &left))
	if strings.Contains(left, "digits") || strings.Contains(left, "lockstep_0") || strings.Contains(left, "PAUSED") {
		t.Errorf("after signing out there is still %s", left)
	}
	b.quiet()
}
