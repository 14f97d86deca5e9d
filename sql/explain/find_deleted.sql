-- Who had an e-mail last, of those who were deleted? There is no index for this: asked only when
-- nobody has the e-mail now.
SELECT id
FROM users
WHERE email = %(email)s
  AND deleted_at IS NOT NULL
ORDER BY deleted_at DESC
LIMIT 1
