"""A campaign: plan, engine, journal, evidence."""
