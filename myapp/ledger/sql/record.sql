-- Record the transactions of one request, all or none, with the balances they lead to.
--
-- Parameters: constants of the request, and arrays. One element for each slot (account path and currency): paths,
-- slot_currencies, debits, credits, counts. One for each transaction: ids, references, effective, descriptions,
-- metadata. One for each line: places and slots (where its transaction and slot are in those arrays, from one),
-- line_numbers, currencies, amounts (a credit is negative), and what of its slot the later lines still add:
-- debits_left, credits_left, counts_left. One for each slot and period: period_slots, grains, effective_from,
-- recorded_from, period_debits, period_credits, period_lines. New currencies: new_currencies, new_exponents. One for
-- each term of a transaction (terms.py): terms, and term_places.
--
-- Locks, in the order of Note [Lock order] in recording/steps.py: the key, currencies, for a past effective time the
-- ledger, transactions by reference, balances by account id and currency, and, at the very end, the accounts of new
-- balances by their foreign keys. What nothing reads runs last, so `slots` reads `used`, and an event draws its place
-- when all of it is locked. Each step is written only if the one before it was complete, so what comes
-- back short says which step refused; the caller rolls back.
--
-- Indexes: uq_accounts_ledger_id_path, and the constraint each ON CONFLICT names. Lines are joined to nothing:
-- they look their balance up by its place in an array, so no plan can be bad for a large request. Nor for a ledger that
-- the planner knows nothing of yet: LIMIT has each account looked up by its path, not all of them read to be joined.
--
-- A parameter has its type at its first mention. Arrays go in as text, where the driver would look at each element.
WITH claim AS (
  INSERT INTO idempotency AS i (ledger_id, key, request_hash, created_at, transaction_ids)
  SELECT %(ledger_id)s::uuid, %(key)s::text, %(request_hash)s::bytea, %(now)s::timestamptz, %(packed_ids)s::bytea
  WHERE %(key)s IS NOT NULL
  ON CONFLICT ON CONSTRAINT pk_idempotency DO UPDATE
  SET (request_hash, created_at, transaction_ids, status, body)
    = (%(request_hash)s, %(now)s, %(packed_ids)s, NULL, NULL)
  WHERE i.created_at < %(expired_before)s::timestamptz
  RETURNING 1
),
go AS (
  SELECT WHERE %(key)s IS NULL OR EXISTS (SELECT FROM claim)
),
used AS (
  INSERT INTO currencies
  SELECT %(ledger_id)s, code, exponent
  FROM go, unnest(%(new_currencies)s::text[], %(new_exponents)s::int4[]) c (code, exponent)
  ON CONFLICT DO NOTHING
  RETURNING 1
),
-- See Note [Closing a period] in periods.py.
period AS (
  SELECT locked_before FROM ledgers WHERE id = %(ledger_id)s AND %(is_late)s::bool FOR KEY SHARE
),
slots AS (
  SELECT slot, a.id, type, currency, debits, credits, count,
    row_number() OVER (ORDER BY a.id, currency COLLATE "C") AS rank
  FROM go, ledgers l, unnest(
    %(paths)s::text[], %(slot_currencies)s::text[],
    %(debits)s::int8[], %(credits)s::int8[], %(counts)s::int8[]
  ) WITH ORDINALITY s (named, currency, debits, credits, count, slot),
    LATERAL (SELECT * FROM accounts WHERE ledger_id = %(ledger_id)s AND path = named LIMIT 1) a
  WHERE (SELECT count(*) FROM used) >= 0
    AND l.id = %(ledger_id)s
    AND closed_at IS NULL
    AND (currencies ? currency) IS NOT FALSE
    AND (l.locked_before > %(effective_min)s::timestamptz) IS NOT TRUE
    AND NOT EXISTS (SELECT FROM period WHERE locked_before > %(effective_min)s)
),
recorded AS (
  INSERT INTO transactions (ledger_id, id, reference, status, effective_at, recorded_at, description, metadata)
  SELECT %(ledger_id)s, id, reference, 'posted', effective_at, %(now)s, description, metadata::jsonb
  FROM unnest(
    %(ids)s::uuid[], %(references)s::text[], %(effective)s::timestamptz[], %(descriptions)s::text[],
    %(metadata)s::text[]
  ) t (id, reference, effective_at, description, metadata)
  WHERE (SELECT count(*) FROM slots) = %(slot_count)s::int8
  ORDER BY reference COLLATE "C"
  ON CONFLICT DO NOTHING
  RETURNING 1
),
moved AS (
  INSERT INTO balances AS b (
    ledger_id, account_id, currency, debits_posted, credits_posted, debits_pending, credits_pending, version
  )
  SELECT %(ledger_id)s, id, currency, debits, credits, 0, 0, count
  FROM slots
  WHERE (SELECT count(*) FROM recorded) = %(transaction_count)s::int8
  ORDER BY rank
  ON CONFLICT ON CONSTRAINT pk_balances DO UPDATE
  SET debits_posted = b.debits_posted + excluded.debits_posted,
    credits_posted = b.credits_posted + excluded.credits_posted,
    version = b.version + excluded.version
  WHERE b.debits_posted <= 9223372036854775807 - excluded.debits_posted - b.debits_pending
    AND b.credits_posted <= 9223372036854775807 - excluded.credits_posted - b.credits_pending
  RETURNING b
),
-- Both in arrays: by slot, and by rank. As many balances as slots have the same ranks.
by_slot AS (
  SELECT array_agg(type ORDER BY slot) AS types, array_agg(rank ORDER BY slot) AS ranks FROM slots
),
by_rank AS (
  SELECT array_agg(b ORDER BY b) AS balances FROM moved
),
complete AS (
  SELECT balances, ranks FROM by_slot, by_rank WHERE cardinality(balances) = %(slot_count)s
),
written AS (
  INSERT INTO postings (
    ledger_id, transaction_id, line, account_id, currency, side, amount, debits_posted, credits_posted,
    debits_pending, credits_pending, balance_version, effective_at
  )
  SELECT %(ledger_id)s, (%(ids)s)[place], line, (r).account_id, currency,
    CASE WHEN signed > 0 THEN 'debit' ELSE 'credit' END, abs(signed),
    (r).debits_posted - debits_left,
    (r).credits_posted - credits_left,
    (r).debits_pending,
    (r).credits_pending,
    (r).version - count_left,
    (%(effective)s)[place]
  FROM complete, unnest(
    %(places)s::int4[], %(slots)s::int4[], %(line_numbers)s::int4[], %(currencies)s::text[],
    %(amounts)s::int8[], %(debits_left)s::int8[], %(credits_left)s::int8[], %(counts_left)s::int8[]
  ) l (place, slot, line, currency, signed, debits_left, credits_left, count_left),
    LATERAL (SELECT balances[ranks[slot]]) i (r)
),
totalled AS (
  INSERT INTO period_totals AS t (
    ledger_id, account_id, currency, grain, effective_from, recorded_from, debits_posted, credits_posted, lines
  )
  SELECT %(ledger_id)s, (r).account_id, (r).currency, period, since, recorded_since, debits, credits, added
  FROM complete, unnest(
    %(period_slots)s::int4[], %(grains)s::text[], %(effective_from)s::date[], %(recorded_from)s::date[],
    %(period_debits)s::int8[], %(period_credits)s::int8[], %(period_lines)s::int8[]
  ) p (slot, period, since, recorded_since, debits, credits, added),
    LATERAL (SELECT balances[ranks[slot]]) i (r)
  ON CONFLICT ON CONSTRAINT pk_period_totals DO UPDATE
  SET debits_posted = t.debits_posted + excluded.debits_posted,
    credits_posted = t.credits_posted + excluded.credits_posted,
    lines = t.lines + excluded.lines
),
indexed AS (
  INSERT INTO transaction_terms
  SELECT %(ledger_id)s, term, (%(ids)s)[place]
  FROM complete, unnest(%(terms)s::int8[], %(term_places)s::int4[]) w (term, place)
),
announced AS (
  INSERT INTO events (ledger_id, id, place, type, payload, recorded_at)
  SELECT %(ledger_id)s, id, nextval('events_place'), 'transaction.posted', '{}', %(now)s
  FROM complete, unnest(%(ids)s) id
)
-- In one value, since each column costs the driver time: whether the key is ours; how many accounts there are, and
-- transactions now; for each slot what its account is, and the place of its balance among all of them.
SELECT json_build_array(
  EXISTS (SELECT FROM go), (SELECT count(*) FROM slots), (SELECT count(*) FROM recorded), types, ranks, balances
)
FROM by_slot, by_rank
