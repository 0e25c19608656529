"""Global tokens and abnormal channels of a backbone, block by block (the paper's Figs. 1 and 3).

``python -m evaluation.phenomena --backbone NAME [IMAGES…]`` prints and draws them: the attention
that the most attended patch receives, the agreement of global tokens with the class token, the
FFN's weight norms and their entropy, and the similarity of the last block's Values within and
across regions, without and with CS. Weights that another paper reports on are compared with it.
"""
