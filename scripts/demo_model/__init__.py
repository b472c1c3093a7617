"""What `train_demo_model.py` is made of: words, skills, corpus, tokenizer, network, training,
export and evaluation of the demo model. It knows nothing of the server that will run the model.
"""
