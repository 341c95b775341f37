"""What speaks for and against training on some data from some base model, before anything is trained."""
