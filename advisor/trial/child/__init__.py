"""What runs in the child of a trial: networks of stock torch.nn parts, trained on made-up data.

Standard library, torch and `advisor.bench` alone; started by path (see __main__) under any Python from 3.9.
"""
