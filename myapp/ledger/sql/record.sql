-- Record the transactions of one request, all or none, with the balances they lead to.
--
-- Parameters: constants of the request, and arrays. One element for each slot (account path and currency): paths,
-- slot_currencies, debits, credits, counts. One for each transaction: ids, references, effective, descriptions,
-- metadata. One for each line: places and slots (where its transaction and slot are in those arrays, from one),
-- line_numbers, currencies, amounts (a credit is negative), and what of its slot the later lines still add:
-- debits_left, credits_left, counts_left. New currencies: new_currencies, new_exponents.
--
-- Locks, in the order of Note [Lock order] in recording/steps.py: the key, currencies, transactions by reference,
-- balances by account id and currency, and, at the very end, the accounts of new balances by their foreign keys. What
-- nothing reads runs last, so `slots` reads `used`. Each step is written only if the one before it was complete, so what comes
-- back short says which step refused; the caller rolls back.
--
-- Indexes: uq_accounts_ledger_id_path, and the constraint each ON CONFLICT names. Lines are joined to nothing:
-- they look their balance up by its place in an array, so no plan can be bad for a large request.
--
-- A parameter has its type at its first mention.
WITH claim AS (
  INSERT INTO idempotency (ledger_id, key, request_hash, created_at, transaction_ids)
  SELECT %(ledger_id)s::uuid, %(key)s::text, %(request_hash)s::bytea, %(now)s::timestamptz, %(packed_ids)s::bytea
  WHERE %(key)s IS NOT NULL
  ON CONFLICT (ledger_id, key) DO UPDATE
  SET request_hash = excluded.request_hash,
    created_at = excluded.created_at,
    transaction_ids = excluded.transaction_ids,
    status = NULL,
    body = NULL
  WHERE idempotency.created_at < %(expired_before)s::timestamptz
  RETURNING key
),
go AS (
  SELECT 1 WHERE %(key)s IS NULL OR EXISTS (SELECT FROM claim)
),
used AS (
  INSERT INTO currencies (ledger_id, code, exponent)
  SELECT %(ledger_id)s, code, exponent
  FROM go, unnest(%(new_currencies)s::text[], %(new_exponents)s::int4[]) AS c (code, exponent)
  ORDER BY code COLLATE "C"
  ON CONFLICT (ledger_id, code) DO NOTHING
  RETURNING code
),
slots AS (
  SELECT s.slot, a.id AS account_id, a.type, s.currency, s.debits, s.credits, s.count,
    row_number() OVER (ORDER BY a.id, s.currency COLLATE "C") AS rank
  FROM go, unnest(
    %(paths)s::text[], %(slot_currencies)s::text[],
    %(debits)s::int8[], %(credits)s::int8[], %(counts)s::int8[]
  ) WITH ORDINALITY AS s (path, currency, debits, credits, count, slot), accounts a, ledgers l
  WHERE (SELECT count(*) FROM used) >= 0
    AND a.ledger_id = %(ledger_id)s AND a.path = s.path
    AND l.id = a.ledger_id
    AND a.closed_at IS NULL
    AND (a.currencies IS NULL OR a.currencies ? s.currency)
    AND (l.locked_before IS NULL OR l.locked_before <= %(effective_min)s::timestamptz)
),
recorded AS (
  INSERT INTO transactions (ledger_id, id, reference, status, effective_at, recorded_at, description, metadata)
  SELECT %(ledger_id)s, id, reference, 'posted', effective_at, %(now)s, description, metadata::jsonb
  FROM unnest(
    %(ids)s::uuid[], %(references)s::text[], %(effective)s::timestamptz[], %(descriptions)s::text[],
    %(metadata)s::text[]
  ) AS t (id, reference, effective_at, description, metadata)
  WHERE (SELECT count(*) FROM slots) = %(slot_count)s::int8
  ORDER BY reference COLLATE "C"
  ON CONFLICT (ledger_id, reference) WHERE reference IS NOT NULL DO NOTHING
  RETURNING id
),
moved AS (
  INSERT INTO balances (
    ledger_id, account_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, version
  )
  SELECT %(ledger_id)s, account_id, currency, debits, credits, 0, 0, count
  FROM slots
  WHERE (SELECT count(*) FROM recorded) = %(transaction_count)s::int8
  ORDER BY rank
  ON CONFLICT (ledger_id, account_id, currency) DO UPDATE
  SET debits_posted = balances.debits_posted + excluded.debits_posted,
    credits_posted = balances.credits_posted + excluded.credits_posted,
    version = balances.version + excluded.version
  WHERE balances.debits_posted <= 9223372036854775807 - excluded.debits_posted
    AND balances.credits_posted <= 9223372036854775807 - excluded.credits_posted
  RETURNING account_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, version, net_min,
    net_max, closed
),
-- Both in arrays: by slot, and by rank. As many balances as slots have the same ranks.
by_slot AS (
  SELECT array_agg(account_id) AS ids, array_agg(type) AS types, array_agg(rank) AS ranks
  FROM (SELECT * FROM slots ORDER BY slot) s
),
by_rank AS (
  SELECT array_agg(account_id) AS account_ids,
    array_agg(currency) AS currencies,
    array_agg(debits_posted) AS debits_posted,
    array_agg(credits_posted) AS credits_posted,
    array_agg(debits_pending) AS debits_pending,
    array_agg(credits_pending) AS credits_pending,
    array_agg(version) AS versions,
    array_agg(net_min) AS net_mins,
    array_agg(net_max) AS net_maxs,
    array_agg(closed) AS closed,
    count(*) AS balance_count
  FROM (SELECT * FROM moved ORDER BY account_id, currency) m
),
written AS (
  INSERT INTO postings (
    ledger_id, transaction_id, line, account_id, currency, side, amount, debits_posted, credits_posted,
    debits_pending, credits_pending, balance_version, effective_at
  )
  SELECT %(ledger_id)s, (%(ids)s)[l.place], l.line, a.ids[l.slot], l.currency,
    CASE WHEN l.amount > 0 THEN 'debit' ELSE 'credit' END, abs(l.amount),
    b.debits_posted[a.ranks[l.slot]] - l.debits_left,
    b.credits_posted[a.ranks[l.slot]] - l.credits_left,
    b.debits_pending[a.ranks[l.slot]],
    b.credits_pending[a.ranks[l.slot]],
    b.versions[a.ranks[l.slot]] - l.count_left,
    (%(effective)s)[l.place]
  FROM by_rank b, by_slot a, unnest(
    %(places)s::int4[], %(slots)s::int4[], %(line_numbers)s::int4[], %(currencies)s::text[],
    %(amounts)s::int8[], %(debits_left)s::int8[], %(credits_left)s::int8[], %(counts_left)s::int8[]
  ) AS l (place, slot, line, currency, amount, debits_left, credits_left, count_left)
  WHERE b.balance_count = %(slot_count)s
)
SELECT EXISTS (SELECT FROM go) AS is_ours,
  (SELECT count(*) FROM slots) AS account_count,
  (SELECT count(*) FROM recorded) AS transaction_count,
  a.ids, a.types, b.*
FROM by_slot a, by_rank b
