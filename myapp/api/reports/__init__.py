"""Reports: what the books say at a time or of a period, as JSON or as CSV.

schemas   what may be asked, and what is answered
views     decode, read the figures, make the report, encode
answers   a report as JSON
rows      a report as rows of a table
csv_text  rows as text
"""
