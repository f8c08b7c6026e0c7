-- What the first event of a key said, so that a later one that says something else is seen: intram.Claim.Note.
ALTER TABLE intram_inbox ADD COLUMN note text NOT NULL DEFAULT '';
