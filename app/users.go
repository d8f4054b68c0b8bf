package app

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/fault"
	"github.com/walkergate/walkergate/walkers"
)

// accountTimeout bounds a call that concerns an account: the wait for a hash
// and the store.
const accountTimeout = 10 * time.Second

// credentials are the fields of register and login.
type credentials struct {
	Email    string `json:"email"`
	Password string `json:"password"`
}

type passwords struct {
	Old string `json:"old_password"`
	New string `json:"new_password"`
}

var (
	credentialsBody = walkers.NewDecoder[credentials]()
	passwordsBody   = walkers.NewDecoder[passwords]()
)

func (a *App) register(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	in, err := credentialsBody.Decode(c.Body())
	if err != nil {
		return err
	}
	profile := make(map[string]json.RawMessage)
	if err := json.Unmarshal(c.Body(), &profile); err != nil {
		return err
	}
	delete(profile, "email")
	delete(profile, "password")
	registration := auth.Registration{Email: in.Email, Password: in.Password, Profile: profile}
	err = a.try(c, accountOfEmail(in.Email), func() error {
		_, err := a.auth.Register(ctx, registration)
		return err
	})
	if err != nil {
		return err
	}
	return message(c, fiber.StatusCreated, "Successfully Registered!")
}

func (a *App) login(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	in, err := credentialsBody.Decode(c.Body())
	if err != nil {
		return err
	}
	var grant auth.Grant
	err = a.try(c, accountOfEmail(in.Email), func() (err error) {
		grant, err = a.auth.Login(ctx, in.Email, in.Password)
		return err
	})
	if err != nil {
		return err
	}
	return encode(c, grant)
}

func (a *App) refresh(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	principal, err := a.user(c)
	if err != nil {
		return err
	}
	grant, err := a.auth.Refresh(ctx, principal)
	if err != nil {
		return err
	}
	return encode(c, grant)
}

func (a *App) logout(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	principal, err := a.user(c)
	if err != nil {
		return err
	}
	if err := a.auth.Logout(ctx, principal, c.QueryBool("all")); err != nil {
		return err
	}
	return message(c, fiber.StatusOK, "Successfully Logged Out!")
}

func (a *App) changePassword(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	principal, err := a.user(c)
	if err != nil {
		return err
	}
	in, err := passwordsBody.Decode(c.Body())
	if err != nil {
		return err
	}
	err = a.try(c, accountOfUser(principal), func() error {
		return a.auth.ChangePassword(ctx, principal, in.Old, in.New)
	})
	if err != nil {
		return err
	}
	return message(c, fiber.StatusOK, "Successfully Updated!")
}

func (a *App) me(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	principal, err := a.user(c)
	if err != nil {
		return err
	}
	user, err := a.auth.Me(ctx, principal)
	if err != nil {
		return err
	}
	return encode(c, user)
}

func (a *App) deleteMe(c *fiber.Ctx) error {
	ctx, cancel := a.work()
	defer cancel()
	principal, err := a.user(c)
	if err != nil {
		return err
	}
	if err := a.auth.Delete(ctx, principal); err != nil {
		return err
	}
	return message(c, fiber.StatusOK, "Successfully Deleted!")
}

// work is the context of a request's work: ours, since the request's own is
// used again for another when the handler returns.
func (a *App) work() (context.Context, context.CancelFunc) {
	return context.WithTimeout(a.base, accountTimeout)
}

// caller is who a request acts for. A token that was refused makes it the
// public user's and is told beside: what needs a user says so, what does not
// ignores it.
func (a *App) caller(c *fiber.Ctx) (principal auth.Principal, refused bool, err error) {
	token := c.Get(fiber.HeaderAuthorization)
	if token == "" {
		return auth.Public(), false, nil
	}
	principal, err = a.auth.Authenticate(a.base, strings.Clone(token))
	switch {
	case err == nil:
		return principal, false, nil
	case fault.Is(err, fault.TokenInvalid):
		return auth.Public(), true, nil
	default:
		return auth.Public(), false, err
	}
}

// user is the caller where one is needed.
func (a *App) user(c *fiber.Ctx) (auth.Principal, error) {
	principal, refused, err := a.caller(c)
	switch {
	case err != nil:
		return principal, err
	case refused:
		return principal, fault.New(fault.TokenInvalid, "the token is not valid")
	case principal.IsPublic():
		return principal, fault.New(fault.Unauthenticated, "this needs a user")
	}
	return principal, nil
}

func message(c *fiber.Ctx, status int, text string) error {
	body, err := json.Marshal(map[string]string{"message": text})
	if err != nil {
		return err
	}
	return writeJSON(c, status, body)
}

func encode(c *fiber.Ctx, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return writeJSON(c, fiber.StatusOK, body)
}
