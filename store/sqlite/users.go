package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/walkergate/walkergate/auth"
	"github.com/walkergate/walkergate/store"
)

const (
	userColumns = `id, root_id, email_key, email, profile, password_hash, generation, created_at`

	// insertUser inserts nobody whose id is that of a user who was deleted, while
	// a token of theirs could be alive.
	insertUser = `INSERT INTO users (` + userColumns + `) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8
		WHERE NOT EXISTS (SELECT 1 FROM revocations WHERE user_id = ?1 AND token_id = '' AND generation = ?9 AND ends > ?8)`

	selectUserByID    = `SELECT ` + userColumns + ` FROM users WHERE id = ?`
	selectUserByEmail = `SELECT ` + userColumns + ` FROM users WHERE email_key = ?`
	selectUserByRoot  = `SELECT ` + userColumns + ` FROM users WHERE root_id = ?`

	updateUser = `UPDATE users SET password_hash = ?, generation = ? WHERE id = ?`
	deleteUser = `DELETE FROM users WHERE id = ?`
)

// CreateUser meets auth.UserStore.
func (s *Store) CreateUser(ctx context.Context, user auth.User) error {
	profile, err := store.EncodeProfile(user.Profile)
	if err != nil {
		return fmt.Errorf("encode the profile of a user: %w", err)
	}
	return s.writer.submit(ctx, func(c *conn) error {
		inserted, err := c.exec(insertUser, user.ID, user.RootID, user.EmailKey, user.Email, profile,
			user.PasswordHash, user.Generation, milliseconds(user.CreatedAt), auth.EveryGeneration)
		switch {
		case isTaken(err):
			return errConflict.Because(err)
		case err == nil && inserted == 0:
			return errConflict
		}
		return err
	})
}

// FindUser meets auth.UserStore.
func (s *Store) FindUser(ctx context.Context, key auth.UserKey) (auth.User, error) {
	if err := s.readable(); err != nil {
		return auth.User{}, err
	}
	var statement *sql.Stmt
	var value string
	switch key {
	case auth.UserKey{ID: key.ID}:
		statement, value = s.readers.userByID, key.ID
	case auth.UserKey{EmailKey: key.EmailKey}:
		statement, value = s.readers.userByEmail, key.EmailKey
	case auth.UserKey{RootID: key.RootID}:
		statement, value = s.readers.userByRoot, key.RootID
	default:
		return auth.User{}, errors.New("a user is looked up by exactly one field")
	}
	user, err := scanUser(statement.QueryRowContext(ctx, value))
	if isRefusal(err) {
		return auth.User{}, err
	}
	return user, readError(ctx, err)
}

// ChangeUser meets auth.UserStore.
func (s *Store) ChangeUser(ctx context.Context, change auth.UserChange) (auth.User, error) {
	var user auth.User
	err := s.writer.submit(ctx, func(c *conn) (err error) {
		if user, err = scanUser(c.row(selectUserByID, change.UserID)); err != nil {
			return err
		}
		if change.WasHash != "" && change.WasHash != user.PasswordHash {
			return errConflict
		}
		if change.NewHash != "" {
			user.PasswordHash = change.NewHash
		}
		if change.End != nil {
			user.Generation++
			if err := endGeneration(c, user.ID, user.Generation, *change.End); err != nil {
				return err
			}
		}
		_, err = c.exec(updateUser, user.PasswordHash, user.Generation, user.ID)
		return err
	})
	if err != nil {
		return auth.User{}, err
	}
	return user, nil
}

// DeleteUser meets auth.UserStore.
func (s *Store) DeleteUser(ctx context.Context, userID string, end auth.EndTokens) error {
	return s.writer.submit(ctx, func(c *conn) error {
		deleted, err := c.exec(deleteUser, userID)
		if err != nil {
			return err
		}
		if deleted == 0 {
			return errNotFound
		}
		return endGeneration(c, userID, auth.EveryGeneration, end)
	})
}

func scanUser(row scanner) (auth.User, error) {
	var user auth.User
	var profile string
	var createdAt int64
	err := row.Scan(&user.ID, &user.RootID, &user.EmailKey, &user.Email, &profile,
		&user.PasswordHash, &user.Generation, &createdAt)
	if errors.Is(err, sql.ErrNoRows) {
		return auth.User{}, errNotFound
	}
	if err != nil {
		return auth.User{}, err
	}
	if user.Profile, err = store.DecodeProfile(profile); err != nil {
		return auth.User{}, fmt.Errorf("decode the profile of user %s: %w", user.ID, err)
	}
	user.CreatedAt = timeOf(createdAt)
	return user, nil
}
