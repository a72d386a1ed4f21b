"""How an answer is marked: plain Python over texts and log-likelihoods, no model."""
