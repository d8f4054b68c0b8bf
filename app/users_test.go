package app_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/walkergate/walkergate/app"
	"github.com/walkergate/walkergate/internal/testkit"
)

// account calls a route of /user/ and gives the status and the body.
func account(t *testing.T, g *testkit.Gateway, method, path, token string, body any) (int, testkit.Frame) {
	t.Helper()
	got := g.Request(t, method, "/user/"+path, token, body)
	return got.Status, got.JSON(t)
}

func TestRegister(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	register := func(body any) (int, testkit.Frame) {
		return account(t, g, http.MethodPost, "register", "", body)
	}
	status, body := register(testkit.Frame{"email": "Ann@Example.com", "password": "long enough", "name": "Ann", "age": 7})
	if status != 201 || !cmp.Equal(body, testkit.Frame{"message": "Successfully Registered!"}) {
		t.Fatalf("%d %v", status, body)
	}
	t.Run("taken", func(t *testing.T) {
		for _, email := range []string{"Ann@Example.com", "ann@example.com", "ANN@EXAMPLE.COM"} {
			if status, body := register(testkit.Frame{"email": email, "password": "another one"}); status != 409 || body["code"] != "conflict" {
				t.Errorf("%s: %d %v", email, status, body)
			}
		}
	})
	t.Run("the fields come back", func(t *testing.T) {
		user := g.Login(t, testkit.User{Email: "ann@example.com", Password: "long enough"})
		status, me := account(t, g, http.MethodGet, "me", user.Token, nil)
		want := testkit.Frame{"id": user.ID, "email": "Ann@example.com", "root_id": user.RootID, "name": "Ann", "age": 7.0}
		if diff := cmp.Diff(want, me); diff != "" || status != 200 {
			t.Errorf("%d (-want +got):\n%s", status, diff)
		}
	})
	t.Run("refused", func(t *testing.T) {
		tests := map[string]any{
			"no fields":        testkit.Frame{},
			"no address":       testkit.Frame{"email": "ann", "password": "long enough"},
			"short password":   testkit.Frame{"email": "bob@example.com", "password": "short"},
			"mistyped":         testkit.Frame{"email": 1, "password": "long enough"},
			"a reserved field": testkit.Frame{"email": "bob@example.com", "password": "long enough", "root_id": "n::0"},
			"no JSON":          "{",
			"no object":        "[]",
			"nothing":          "",
		}
		for name, body := range tests {
			if status, told := register(body); status != 422 || told["code"] != "invalid_context" {
				t.Errorf("%s: %d %v", name, status, told)
			}
		}
	})
}

func TestLogin(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)
	user := g.NewUser(t)
	status, body := account(t, g, http.MethodPost, "login", "", testkit.Frame{"email": user.Email, "password": user.Password})
	token, _ := body["token"].(string)
	delete(body, "token")
	want := testkit.Frame{"expires_in": 43200.0, "user": testkit.Frame{"id": user.ID, "email": user.Email, "root_id": user.RootID}}
	if diff := cmp.Diff(want, body); diff != "" || status != 200 || token == "" {
		t.Errorf("%d (-want +got):\n%s", status, diff)
	}
	for name, credentials := range map[string]testkit.Frame{
		"wrong password": {"email": user.Email, "password": "wrong one"},
		"unknown user":   {"email": "nobody@example.com", "password": user.Password},
		"empty password": {"email": user.Email, "password": ""},
	} {
		status, body := account(t, g, http.MethodPost, "login", "", credentials)
		want := testkit.Frame{"status": 400.0, "code": "bad_credentials", "error": "Invalid Email/Password!"}
		if status != 400 || !cmp.Equal(body, want) {
			t.Errorf("%s: %d %v", name, status, body)
		}
	}
	if status, _ := account(t, g, http.MethodPost, "login", "", testkit.Frame{}); status != 422 {
		t.Errorf("no fields: %d", status)
	}
}

// alive reports whether a token still is one.
func alive(t *testing.T, g *testkit.Gateway, token string) bool {
	t.Helper()
	return g.Request(t, http.MethodGet, "/user/me", token, nil).Status == http.StatusOK
}

func TestTokensLiveAndDie(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t)

	t.Run("refresh", func(t *testing.T) {
		user := g.NewUser(t)
		status, body := account(t, g, http.MethodPost, "refresh", user.Token, nil)
		fresh, _ := body["token"].(string)
		if status != 200 || fresh == user.Token || body["expires_in"] != 43200.0 || body["user"].(testkit.Frame)["root_id"] != user.RootID {
			t.Fatalf("%d %v", status, body)
		}
		if !alive(t, g, fresh) || !alive(t, g, user.Token) {
			t.Error("one of the tokens died of it")
		}
	})
	t.Run("logout", func(t *testing.T) {
		user := g.NewUser(t)
		second := g.Login(t, user)
		status, body := account(t, g, http.MethodPost, "logout", user.Token, nil)
		if _, told := body["message"].(string); status != 200 || !told {
			t.Fatalf("%d %v", status, body)
		}
		if alive(t, g, user.Token) || !alive(t, g, second.Token) {
			t.Error("logout ends that token, and no other")
		}
		for _, path := range []string{"logout", "refresh", "change_password"} {
			if status, body := account(t, g, http.MethodPost, path, user.Token, nil); status != 401 || body["code"] != "token_invalid" {
				t.Errorf("%s with a dead token: %d %v", path, status, body)
			}
		}
	})
	t.Run("logout of all", func(t *testing.T) {
		user, other := g.NewUser(t), g.NewUser(t)
		second := g.Login(t, user)
		if status, body := account(t, g, http.MethodPost, "logout?all=true", user.Token, nil); status != 200 {
			t.Fatalf("%d %v", status, body)
		}
		if alive(t, g, user.Token) || alive(t, g, second.Token) || !alive(t, g, other.Token) {
			t.Error("all tokens of the user end, and nobody else's")
		}
		if !alive(t, g, g.Login(t, user).Token) {
			t.Error("a login behind it is dead")
		}
	})
	t.Run("change_password", func(t *testing.T) {
		user := g.NewUser(t)
		second := g.Login(t, user)
		change := func(old, replacement string) (int, testkit.Frame) {
			return account(t, g, http.MethodPost, "change_password", user.Token, testkit.Frame{"old_password": old, "new_password": replacement})
		}
		if status, body := change("wrong one", "another one"); status != 403 || body["error"] != "Update Failed!" {
			t.Errorf("wrong old one: %d %v", status, body)
		}
		if status, body := change(user.Password, "short"); status != 422 {
			t.Errorf("short new one: %d %v", status, body)
		}
		if !alive(t, g, user.Token) {
			t.Fatal("a refused change ended the token")
		}
		if status, body := change(user.Password, "another one"); status != 200 || body["message"] != "Successfully Updated!" {
			t.Fatalf("%d %v", status, body)
		}
		if alive(t, g, user.Token) || alive(t, g, second.Token) {
			t.Error("tokens outlive the password")
		}
		credentials := testkit.Frame{"email": user.Email, "password": user.Password}
		if status, _ := account(t, g, http.MethodPost, "login", "", credentials); status != 400 {
			t.Errorf("the old password still logs in: %d", status)
		}
		user.Password = "another one"
		g.Login(t, user)
	})
	t.Run("delete", func(t *testing.T) {
		user := g.NewUser(t)
		second := g.Login(t, user)
		if status, body := account(t, g, http.MethodDelete, "me", user.Token, nil); status != 200 {
			t.Fatalf("%d %v", status, body)
		}
		if alive(t, g, user.Token) || alive(t, g, second.Token) {
			t.Error("tokens outlive their user")
		}
		credentials := testkit.Frame{"email": user.Email, "password": user.Password}
		if status, _ := account(t, g, http.MethodPost, "login", "", credentials); status != 400 {
			t.Errorf("a user who is gone logs in: %d", status)
		}
		if status, _ := account(t, g, http.MethodPost, "register", "", credentials); status != 201 {
			t.Errorf("the address is not free again: %d", status)
		}
		if again := g.Login(t, user); again.RootID == user.RootID {
			t.Error("the root of a user who is gone was given away")
		}
	})
}

func TestForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	const secret = "0123456789abcdef0123456789abcdef"
	g := testkit.Start(t, testkit.Config(func(c *app.Config) { c.TokenSecret = secret }))
	user := g.NewUser(t)
	claims := func() jwt.MapClaims {
		said := jwt.MapClaims{}
		if _, _, err := jwt.NewParser().ParseUnverified(user.Token, said); err != nil {
			t.Fatal(err)
		}
		return said
	}
	sign := func(method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if !alive(t, g, sign(jwt.SigningMethodHS256, []byte(secret), claims())) {
		t.Fatal("a faithful copy is refused: this test proves nothing")
	}
	late := claims()
	late["exp"] = float64(time.Now().Add(-time.Hour).Unix())
	endless := claims()
	delete(endless, "exp")
	for name, token := range map[string]string{
		"another key":       sign(jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), claims()),
		"no signature":      sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()),
		"another algorithm": sign(jwt.SigningMethodHS512, []byte(secret), claims()),
		"expired":           sign(jwt.SigningMethodHS256, []byte(secret), late),
		"without an end":    sign(jwt.SigningMethodHS256, []byte(secret), endless),
	} {
		if alive(t, g, token) {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestSocketLearnsOfItsTokensEnd(t *testing.T) {
	t.Parallel()
	g := testkit.Start(t, testkit.Walkers(fixtures))
	ends := map[string]func(t *testing.T, user testkit.User){
		"logout": func(t *testing.T, user testkit.User) {
			account(t, g, http.MethodPost, "logout", user.Token, nil)
		},
		"logout of all": func(t *testing.T, user testkit.User) {
			account(t, g, http.MethodPost, "logout?all=true", g.Login(t, user).Token, nil)
		},
		"change_password": func(t *testing.T, user testkit.User) {
			account(t, g, http.MethodPost, "change_password", user.Token, testkit.Frame{"old_password": user.Password, "new_password": "another one"})
		},
		"delete": func(t *testing.T, user testkit.User) {
			account(t, g, http.MethodDelete, "me", user.Token, nil)
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			user := g.NewUser(t)
			s, sender := g.Dial(t, "channel_id=room", user.Token), g.Dial(t, "", g.NewUser(t).Token)
			s.Same(s.Ask(call("whoami", testkit.Frame{})), ok(user.RootID))
			end(t, user)

			// It is told without having asked.
			if told := s.ExpectError("error", "token_invalid"); told["status"] != 401.0 {
				t.Errorf("told %v", told)
			}
			s.Expect(event(s, publicRoot))
			s.Say(call("whoami", testkit.Frame{}))
			s.ExpectError("walker", "token_invalid")
			s.Quiet() // told once
			sender.Same(sender.Ask(users(user.RootID)), reached(0))
		})
	}
}
