"""How models answer: log-likelihoods, generated texts, labels and embeddings."""
