"""Bank statements on the command line.

mapping        what the columns of a bank's CSV mean         -> a Mapping
amounts        how a bank writes amounts and days, pure
columns        a CSV file, by a Mapping                      -> statements
ofx            an OFX file, with ofxtools                    -> statements
camt           a camt.053 file                               -> statements
markup         XML without entities and without surprises
files          a file of whatever format                     -> statements
checking       the balances a bank states against the books
loading        statements into a ledger, in one unit of work
report         what is said of it
command        `myapp bank import`
deciding       `myapp bank match`, `report`, `accept`, `reject`
"""
