-- Record the transactions of one request, all or none, with the balances they lead to.
--
-- Parameters: constants of the request, and arrays. One element for each slot (account path and currency): paths,
-- slot_currencies, debits, credits, counts. One for each transaction: ids, references, effective, descriptions,
-- metadata. One for each line: places and slots (where its transaction and slot are in those arrays, from one),
-- line_numbers, currencies, amounts (a credit is negative), and what of its slot the later lines still add:
-- debits_left, credits_left, counts_left. New currencies: new_currencies, new_exponents.
--
-- Locks, in the order of Note [Lock order] in recording/steps.py: the key, currencies, transactions by reference,
-- balances by account id and currency. Each step is written only if the one before it was complete, so what comes
-- back short says which step refused; the caller rolls back.
--
-- Indexes: uq_accounts_ledger_id_path, and the constraint each ON CONFLICT names. Lines are joined to nothing:
-- they look their balance up by its place in an array, so no plan can be bad for a large request.
WITH claim AS (
  INSERT INTO idempotency (ledger_id, key, request_hash, created_at, transaction_ids)
  SELECT %(ledger_id)s::uuid, %(key)s::text, %(request_hash)s::bytea, %(now)s::timestamptz, %(packed_ids)s::bytea
  WHERE %(key)s::text IS NOT NULL
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
  SELECT 1 WHERE %(key)s::text IS NULL OR EXISTS (SELECT FROM claim)
),
used AS (
  INSERT INTO currencies (ledger_id, code, exponent)
  SELECT %(ledger_id)s::uuid, c.code, c.exponent
  FROM go, unnest(%(new_currencies)s::text[], %(new_exponents)s::integer[]) AS c (code, exponent)
  ORDER BY c.code COLLATE "C"
  ON CONFLICT (ledger_id, code) DO NOTHING
),
slots AS MATERIALIZED (
  SELECT s.slot, a.id AS account_id, a.type, s.currency, s.debits, s.credits, s.count,
    row_number() OVER (ORDER BY a.id, s.currency COLLATE "C") AS rank
  FROM go
  CROSS JOIN unnest(
    %(paths)s::text[], %(slot_currencies)s::text[],
    %(debits)s::bigint[], %(credits)s::bigint[], %(counts)s::bigint[]
  ) WITH ORDINALITY AS s (path, currency, debits, credits, count, slot)
  JOIN accounts a ON a.ledger_id = %(ledger_id)s::uuid AND a.path = s.path
  JOIN ledgers l ON l.id = a.ledger_id
  WHERE a.closed_at IS NULL
    AND (a.currencies IS NULL OR a.currencies ? s.currency)
    AND (l.locked_before IS NULL OR l.locked_before <= %(effective_min)s::timestamptz)
),
recorded AS (
  INSERT INTO transactions (ledger_id, id, reference, status, effective_at, recorded_at, description, metadata)
  SELECT %(ledger_id)s::uuid, t.id, t.reference, 'posted', t.effective_at, %(now)s::timestamptz, t.description,
    t.metadata::jsonb
  FROM unnest(
    %(ids)s::uuid[], %(references)s::text[], %(effective)s::timestamptz[], %(descriptions)s::text[],
    %(metadata)s::text[]
  ) AS t (id, reference, effective_at, description, metadata)
  WHERE (SELECT count(*) FROM slots) = %(slot_count)s::bigint
  ORDER BY t.reference COLLATE "C"
  ON CONFLICT (ledger_id, reference) WHERE reference IS NOT NULL DO NOTHING
  RETURNING id
),
moved AS (
  INSERT INTO balances (
    ledger_id, account_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, version
  )
  SELECT %(ledger_id)s::uuid, s.account_id, s.currency, s.debits, s.credits, 0, 0, s.count
  FROM slots s
  WHERE (SELECT count(*) FROM recorded) = %(transaction_count)s::bigint
  ORDER BY s.rank
  ON CONFLICT (ledger_id, account_id, currency) DO UPDATE
  SET debits_posted = balances.debits_posted + excluded.debits_posted,
    credits_posted = balances.credits_posted + excluded.credits_posted,
    version = balances.version + excluded.version
  WHERE balances.debits_posted <= 9223372036854775807 - excluded.debits_posted
    AND balances.credits_posted <= 9223372036854775807 - excluded.credits_posted
  RETURNING account_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, version, net_min,
    net_max
),
-- Both in arrays: by slot, and by rank. As many balances as slots have the same ranks.
accounts_by_slot AS MATERIALIZED (
  SELECT array_agg(account_id ORDER BY slot) AS ids, array_agg(type ORDER BY slot) AS types,
    array_agg(rank ORDER BY slot) AS ranks
  FROM slots
),
balances_by_rank AS MATERIALIZED (
  SELECT array_agg(account_id ORDER BY account_id, currency) AS account_ids,
    array_agg(currency ORDER BY account_id, currency) AS currencies,
    array_agg(debits_posted ORDER BY account_id, currency) AS debits_posted,
    array_agg(credits_posted ORDER BY account_id, currency) AS credits_posted,
    array_agg(debits_pending ORDER BY account_id, currency) AS debits_pending,
    array_agg(credits_pending ORDER BY account_id, currency) AS credits_pending,
    array_agg(version ORDER BY account_id, currency) AS versions,
    array_agg(net_min ORDER BY account_id, currency) AS net_mins,
    array_agg(net_max ORDER BY account_id, currency) AS net_maxs,
    count(*) AS balance_count
  FROM moved
),
written AS (
  INSERT INTO postings (
    ledger_id, transaction_id, line, account_id, currency, side, amount, debits_posted, credits_posted,
    debits_pending, credits_pending, balance_version, effective_at
  )
  SELECT %(ledger_id)s::uuid, (%(ids)s::uuid[])[l.place], l.line, a.ids[l.slot], l.currency,
    CASE WHEN l.amount > 0 THEN 'debit' ELSE 'credit' END, abs(l.amount),
    b.debits_posted[a.ranks[l.slot]] - l.debits_left,
    b.credits_posted[a.ranks[l.slot]] - l.credits_left,
    b.debits_pending[a.ranks[l.slot]],
    b.credits_pending[a.ranks[l.slot]],
    b.versions[a.ranks[l.slot]] - l.count_left,
    (%(effective)s::timestamptz[])[l.place]
  FROM balances_by_rank b
  CROSS JOIN accounts_by_slot a
  CROSS JOIN unnest(
    %(places)s::integer[], %(slots)s::integer[], %(line_numbers)s::integer[], %(currencies)s::text[],
    %(amounts)s::bigint[], %(debits_left)s::bigint[], %(credits_left)s::bigint[], %(counts_left)s::bigint[]
  ) AS l (place, slot, line, currency, amount, debits_left, credits_left, count_left)
  WHERE b.balance_count = %(slot_count)s::bigint
)
SELECT EXISTS (SELECT FROM go) AS is_ours,
  (SELECT count(*) FROM slots) AS account_count,
  (SELECT count(*) FROM recorded) AS transaction_count,
  a.ids, a.types, b.*
FROM accounts_by_slot a
CROSS JOIN balances_by_rank b
